// Event tells people, programs and embedding applications what happens in a run. kinds.json
// declares the types and their fields. Events may be lost; only the journal is a reliable record of
// the run. Event is a plain value for any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "host/telemetry/kinds.h"

namespace moonlet {

/// Returns the type's name in kinds.json, such as "run.started".
std::string_view to_string(EventType type);
/// Returns the type that has this name in kinds.json, or no value if there is none.
std::optional<EventType> event_type(std::string_view name);

struct Event {
  EventType type = EventType::kLog;
  std::int64_t wall_ms = 0;  ///< time in ms since 1970; 0: the Bus sets it
  std::string run;           ///< "R-007"; empty if the event belongs to no run
  std::string step;          ///< the step's key; empty if the event belongs to no step
  nlohmann::json fields = nlohmann::json::object();
  std::uint64_t number = 0;  ///< counts the run's events from 1; set by the Bus
};

/// Formats the event as {"number", "type", "ts", "run", "step", "data"} without empty members.
nlohmann::json to_json(const Event& event);

/// Decodes %XX in a step's key for people: "parallel/src%2Fb.lua" becomes "parallel/src/b.lua".
std::string plain_key(std::string_view key);

/// Formats an event as a line for people: "03:12:00Z step.started correctness: runner=codex".
/// The line has no control characters, no newline, and about `cap` bytes at most.
/// Returns "" if kinds.json declares no line for the type.
std::string to_line(const Event& event, std::size_t cap = 2000);

}  // namespace moonlet
