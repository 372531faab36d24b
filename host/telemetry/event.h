// Event: one thing that happened in a run, for people, programs and embedders to follow. A plain
// value; the journal, not this, is the record. No thread affinity.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moonlet {

/// Each of them is emitted; kWarning stays the last.
enum class EventType {
  kRunStarted,    ///< run.started: preset, runner, model, dir
  kRunResumed,    ///< run.resumed: the same, and the recorded part
  kRunFinished,   ///< run.finished: verdict, exit_code, duration_ms
  kPhase,         ///< phase: name, planned
  kStepStarted,   ///< step.started: kind, runner, attempt
  kStepFinished,  ///< step.finished: status, duration_ms, cached, taken_over, usage, error
  kProgress,      ///< progress: text; or name and planned of branches to come, ended
  kBudget,        ///< budget: the rest of each limit, wall_left_ms
  kLog,           ///< log: text
  kWarning,       ///< warning: text
};

/// "run.started" and so on.
std::string_view to_string(EventType type);

struct Event {
  EventType type = EventType::kLog;
  std::int64_t wall_ms = 0;  ///< 0: the bus fills it in
  std::string run;           ///< "R-007"; empty when it is of no run
  std::string step;          ///< the step's key; empty when it is of no step
  nlohmann::json fields = nlohmann::json::object();
};

/// {"type", "ts", "run", "step", "data"}; empty run and step are left out.
nlohmann::json to_json(const Event& event);

/// One line for people, without a line end: "03:12:00Z step.started correctness: runner=codex". No
/// control characters, at most `cap` bytes or a little more. Empty for events that are only counted
/// (budget, progress without a text).
std::string to_line(const Event& event, std::size_t cap = 2000);

}  // namespace moonlet
