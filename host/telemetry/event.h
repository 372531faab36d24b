// Event: one thing that happened in a run, for people, programs and embedders to follow. A plain
// value; the journal, not this, is the record. No thread affinity.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace moonlet {

/// Each of them is emitted. stdlib/engine/base/events.lua is the reference of the fields.
enum class EventType {
  kRunStarted,
  kRunResumed,
  kRunParked,
  kRunFinished,
  kPhase,
  kPlan,
  kStepStarted,
  kStepRetried,
  kStepFinished,
  kAgentMessage,
  kAgentTool,
  kProgress,
  kUsage,
  kBudget,
  kQuota,
  kGate,
  kQuestion,
  kValidation,
  kReview,
  kSessionState,
  kIntervention,
  kArtifact,
  kLog,
  kWarning,  // stays the last
};
inline constexpr int kEventTypes = static_cast<int>(EventType::kWarning) + 1;

/// "run.started" and so on.
std::string_view to_string(EventType type);

struct Event {
  EventType type = EventType::kLog;
  std::int64_t wall_ms = 0;  ///< 0: the bus fills it in
  std::string run;           ///< "R-007"; empty when it is of no run
  std::string step;          ///< the step's key; empty when it is of no step
  nlohmann::json fields = nlohmann::json::object();
  std::uint64_t number = 0;  ///< in the story of the run, from 1; the bus fills it in
};

/// {"number", "type", "ts", "run", "step", "data"}; a number 0, an empty run and step are left out.
nlohmann::json to_json(const Event& event);

/// A step's key with the names that it was made from: "parallel/src/b.lua" for
/// "parallel/src%2Fb.lua".
std::string plain_key(std::string_view key);

/// One line for people, without a line end: "03:12:00Z step.started correctness: runner=codex". No
/// control characters, at most `cap` bytes or a little more. Empty for events that are for programs
/// alone (a budget, an agent's tools), or that another event has a line for.
std::string to_line(const Event& event, std::size_t cap = 2000);

}  // namespace moonlet
