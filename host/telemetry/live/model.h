// LiveModel derives the state of a run from its events, for the live view. It has no side effects.
// It keeps only the newest ended steps and counts the others.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "host/telemetry/event.h"

namespace moonlet {

enum class LiveState { kRunning, kOk, kFailed, kParked, kCancelled };
constexpr std::size_t kLiveStates = 5;

/// LiveStep is a step that has begun. Its strings have no control characters.
struct LiveStep {
  std::string key;
  std::string kind;    ///< "agent", "exec", "gate", …
  std::string runner;  ///< the runner, if the step is an agent
  std::string on;      ///< the remote machine; empty: this machine
  LiveState state = LiveState::kRunning;
  std::int64_t started_ms = 0;  ///< milliseconds since 1970
  std::int64_t duration_ms = 0;
  std::int64_t attempts = 0;  ///< 0: unknown
  /// Sum of the tokens of all attempts; no value if no attempt reported any.
  std::optional<std::int64_t> tokens;
  std::string doing;          ///< the running agent's activity, such as a tool's name
  std::int64_t limit_ms = 0;  ///< the time limit of the attempt; 0: unknown
  std::optional<double> usd;
  bool is_estimate = false;
  bool cached = false;              ///< the result comes from the journal; no agent was started
  bool taken_over = false;          ///< an earlier host process had started the step
  std::int64_t waits_until_ms = 0;  ///< when the next attempt begins, in ms since 1970
  std::string note;                 ///< why the step failed

  bool is_asked = false;  ///< the step asks a model, or has asked one
  bool is_paid = false;   ///< this host process ran the step on a paid model

  bool is_agent() const { return kind == "agent"; }
};

struct LivePhase {
  std::string name;  ///< empty for steps before the first phase
  std::int64_t planned = 0;
  std::vector<LiveStep> steps;                     ///< in the order in which they began
  std::array<std::size_t, kLiveStates> counts{};   ///< number of steps in each state
  std::array<std::size_t, kLiveStates> dropped{};  ///< ended steps that `steps` does not keep

  std::size_t count(LiveState state) const { return counts[static_cast<std::size_t>(state)]; }
  std::size_t begun() const;
  std::size_t ended() const { return begun() - count(LiveState::kRunning); }
};

/// LiveSpend is the sum of what the run's paid agents have used.
struct LiveSpend {
  std::size_t agents = 0;  ///< paid agents that have ended
  std::int64_t tokens = 0;
  std::size_t without_tokens = 0;  ///< number of paid agents that reported no tokens
  double usd = 0;
  std::size_t without_usd = 0;
  bool is_estimate = false;
  std::int64_t earlier_tokens = 0;  ///< tokens that an earlier host process paid for
};

class LiveModel {
 public:
  /// Applies an event. Returns true if the view must be drawn again.
  bool apply(const Event& event);

  std::string preset;
  std::string run;
  std::string runner;
  bool confined = true;                           ///< true if a kernel sandbox confines the agents
  std::int64_t started_ms = 0;                    ///< 0: the run has not begun
  std::optional<std::int64_t> ended_ms;           ///< no value while the run is active
  std::string verdict;                            ///< empty until the run has ended
  std::vector<LivePhase> phases;                  ///< in the order in which they were announced
  std::size_t current = 0;                        ///< index of the phase that new steps belong to
  std::array<std::size_t, kLiveStates> agents{};  ///< agents that asked a model, by state
  LiveSpend spend;
  std::vector<std::pair<std::string, double>> left;  ///< budgets: kind and remaining amount
  std::optional<std::int64_t> wall_left_ms;          ///< the remaining time, as of `left_at_ms`
  std::int64_t left_at_ms = 0;

  bool any_agent() const;
  /// Returns the number of parallel branches in the phase that have not begun.
  std::size_t waiting(std::size_t phase) const;

 private:
  /// Group is a set of branches that run in parallel.
  struct Group {
    std::size_t phase;
    std::int64_t planned;
    std::unordered_set<std::string> begun;
  };

  void begin_run(const Event& event);
  void begin_phase(const Event& event);
  void note_group(const Event& event);
  bool note_progress(const Event& event);
  void note_budget(const Event& event);
  LiveStep& step_of(const Event& event);
  bool note_step(const Event& event);
  void end_step(const Event& event);
  void count_branch(const std::string& key);
  void count_spend(const LiveStep& step);
  void forget_some(LivePhase& phase, LiveState state);

  std::unordered_map<std::string, std::size_t> running_;  // phase of each running step, by key
  std::unordered_map<std::string, Group> groups_;         // groups, by prefix of the step keys
};

}  // namespace moonlet
