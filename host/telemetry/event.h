// Event reports something that happened in a run to people, programs and embedders.
// kinds.json declares the types and their fields. Events are no record of a run; the journal is.
// Event is a plain value for any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "host/telemetry/kinds.h"

namespace moonlet {

/// Returns the name of a type in kinds.json, such as "run.started".
std::string_view to_string(EventType type);
/// Returns the event type with this name in kinds.json.
std::optional<EventType> event_type(std::string_view name);

struct Event {
  EventType type = EventType::kLog;
  std::int64_t wall_ms = 0;  ///< 0: the bus sets the current time
  std::string run;           ///< "R-007"; empty for an event outside of runs
  std::string step;          ///< the step's key; empty for an event outside of steps
  nlohmann::json fields = nlohmann::json::object();
  std::uint64_t number = 0;  ///< numbers the events of a run from 1; the bus sets the number
};

/// Formats {"number", "type", "ts", "run", "step", "data"} and omits empty members.
nlohmann::json to_json(const Event& event);

/// Decodes a step's key: "parallel/src%2Fb.lua" becomes "parallel/src/b.lua".
std::string plain_key(std::string_view key);

/// Formats an event for people: "03:12:00Z step.started correctness: runner=codex".
/// The line has no control characters, no line end and about `cap` bytes at most.
/// Returns "" for types without a line in kinds.json.
std::string to_line(const Event& event, std::size_t cap = 2000);

}  // namespace moonlet
