// LiveModel computes the state of a run from its events, for a live view.
// LiveModel is passive, and keeps only the newest ended steps. Older steps are counted.
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

/// LiveStep is a running or ended step. Its texts have no control characters.
struct LiveStep {
  std::string key;
  std::string kind;    ///< agent, exec, gate, …
  std::string runner;  ///< the runner of an agent
  std::string on;      ///< another machine that it runs on
  LiveState state = LiveState::kRunning;
  std::int64_t started_ms = 0;  ///< milliseconds since 1970
  std::int64_t duration_ms = 0;
  std::int64_t attempts = 0;  ///< 0: unknown
  /// Sums the tokens of all attempts. Empty if none was reported.
  std::optional<std::int64_t> tokens;
  std::string doing;          ///< the tool that a running agent uses
  std::int64_t limit_ms = 0;  ///< the time limit of the attempt; 0: unknown
  std::optional<double> usd;
  bool is_estimate = false;
  bool cached = false;              ///< the result is from the record; no agent was started
  bool taken_over = false;          ///< an earlier host started the step
  std::int64_t waits_until_ms = 0;  ///< the time of the next try
  std::string note;                 ///< why the step failed

  bool is_asked = false;  ///< a model is asked now, or was asked
  bool is_paid = false;   ///< this host asked a model that costs money

  bool is_agent() const { return kind == "agent"; }
};

struct LivePhase {
  std::string name;  ///< empty: the steps before the first phase
  std::int64_t planned = 0;
  std::vector<LiveStep> steps;                     ///< in the order in which they began
  std::array<std::size_t, kLiveStates> counts{};   ///< all steps, kept or dropped
  std::array<std::size_t, kLiveStates> dropped{};  ///< steps that are only counted

  std::size_t count(LiveState state) const { return counts[static_cast<std::size_t>(state)]; }
  std::size_t begun() const;
  std::size_t ended() const { return begun() - count(LiveState::kRunning); }
};

/// LiveSpend sums the cost of the run's paid agents.
struct LiveSpend {
  std::size_t agents = 0;  ///< paid agents that have ended
  std::int64_t tokens = 0;
  std::size_t without_tokens = 0;  ///< agents that reported no tokens
  double usd = 0;
  std::size_t without_usd = 0;
  bool is_estimate = false;
  std::int64_t earlier_tokens = 0;  ///< tokens of answers on record from an earlier host
};

class LiveModel {
 public:
  /// Applies an event. Returns true if the view must change.
  bool apply(const Event& event);

  std::string preset;
  std::string run;
  std::string runner;
  bool confined = true;                           ///< a kernel sandbox confines the agents
  std::int64_t started_ms = 0;                    ///< 0: the run has not begun
  std::optional<std::int64_t> ended_ms;           ///< the run has ended
  std::string verdict;                            ///< empty until the run has ended
  std::vector<LivePhase> phases;                  ///< in the order in which they were first named
  std::size_t current = 0;                        ///< the phase that new steps belong to
  std::array<std::size_t, kLiveStates> agents{};  ///< the agents that asked a model, in all phases
  LiveSpend spend;
  std::vector<std::pair<std::string, double>> left;  ///< limited budgets: kind and the amount left
  std::optional<std::int64_t> wall_left_ms;          ///< the time left at left_at_ms
  std::int64_t left_at_ms = 0;

  bool any_agent() const;
  /// Counts the branches of the phase that have not begun.
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

  std::unordered_map<std::string, std::size_t> running_;  // key -> phase
  std::unordered_map<std::string, Group> groups_;         // by path
};

}  // namespace moonlet
