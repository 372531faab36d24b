// Event: one thing that happened in a run, for people, programs and embedders to follow. A plain
// value; the journal, not this, is the record. kinds.json declares the types and their fields. No
// thread affinity.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "host/telemetry/kinds.h"

namespace moonlet {

/// The name of a type in kinds.json: "run.started" and so on.
std::string_view to_string(EventType type);
/// The type with this name in kinds.json, if it has one.
std::optional<EventType> event_type(std::string_view name);

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
/// control characters, at most `cap` bytes or a little more. Empty for the types that have no line
/// in kinds.json, because they are for programs or another event has the line.
std::string to_line(const Event& event, std::size_t cap = 2000);

}  // namespace moonlet
