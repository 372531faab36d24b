// LiveModel: the state of a run from its events so far, for a person who watches. Entirely passive;
// it knows no terminal. Bounded: it keeps the newest ended steps and counts the others. Loop thread
// only.
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

/// A step that runs or has ended. Texts are without control characters.
struct LiveStep {
  std::string key;
  std::string kind;    ///< agent, exec, gate, …
  std::string runner;  ///< the runner of an agent
  LiveState state = LiveState::kRunning;
  std::int64_t started_ms = 0;  ///< wall clock
  std::int64_t duration_ms = 0;
  std::int64_t attempts = 0;  ///< 0: not known
  /// All attempts; while it runs, the present one so far. Empty when none is reported.
  std::optional<std::int64_t> tokens;
  std::string doing;          ///< the tool it uses at the moment, while it runs
  std::int64_t limit_ms = 0;  ///< the time that its attempt may take; 0: not known
  std::optional<double> usd;
  bool is_estimate = false;
  bool cached = false;              ///< from the record of the run: no agent was started
  bool taken_over = false;          ///< an earlier host had started it
  std::int64_t waits_until_ms = 0;  ///< the time of its next try
  std::string note;                 ///< the reason that it failed

  bool is_asked = false;  ///< a model is or was asked
  bool is_paid = false;   ///< this host asked a model that costs money

  bool is_agent() const { return kind == "agent"; }
};

struct LivePhase {
  std::string name;  ///< empty: the steps before the first phase
  std::int64_t planned = 0;
  std::vector<LiveStep> steps;                     ///< in the order in which they began
  std::array<std::size_t, kLiveStates> counts{};   ///< all its steps, kept or not
  std::array<std::size_t, kLiveStates> dropped{};  ///< steps that are only counted

  std::size_t count(LiveState state) const { return counts[static_cast<std::size_t>(state)]; }
  std::size_t begun() const;
  std::size_t ended() const { return begun() - count(LiveState::kRunning); }
};

/// The spending of the run's agents that were paid for by now.
struct LiveSpend {
  std::size_t agents = 0;  ///< paid and ended
  std::int64_t tokens = 0;
  std::size_t without_tokens = 0;  ///< agents that reported no tokens
  double usd = 0;
  std::size_t without_usd = 0;
  bool is_estimate = false;
  std::int64_t earlier_tokens = 0;  ///< tokens of answers on record from an earlier host
};

class LiveModel {
 public:
  /// Takes in one event. True when something is to be seen of it.
  bool apply(const Event& event);

  std::string preset;
  std::string run;
  std::string runner;
  bool confined = true;                           ///< a kernel sandbox confines its agents
  std::int64_t started_ms = 0;                    ///< 0: the run has not begun
  std::optional<std::int64_t> ended_ms;           ///< the run has ended
  std::string verdict;                            ///< once it has ended
  std::vector<LivePhase> phases;                  ///< in the order in which they were first named
  std::size_t current = 0;                        ///< the phase that new steps belong to
  std::array<std::size_t, kLiveStates> agents{};  ///< those that were asked, over all phases
  LiveSpend spend;
  std::vector<std::pair<std::string, double>> left;  ///< limited budgets: kind and the amount left
  std::optional<std::int64_t> wall_left_ms;          ///< the time left of a limit, at left_at_ms
  std::int64_t left_at_ms = 0;

  bool any_agent() const;
  /// Branches of the phase that have not begun.
  std::size_t waiting(std::size_t phase) const;

 private:
  /// Branches that run side by side, or will.
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
