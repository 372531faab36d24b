// Reads a run's past for the page: a table of its steps, pages of its events, and the journal
// records of a step. Stateless, any thread.
#pragma once

#include <cstdint>
#include <string>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet::web {

/// Returns the run's steps, phases, resumes and warnings as JSON. Each step is an array, so that
/// 10,000 steps take only a few hundred kilobytes. "number" is the number of the last event read.
Result<std::string> steps_json(const Dir& sidecar);

struct EventQuery {
  std::uint64_t before = 0;  ///< only events with a smaller number; 0: no limit
  std::size_t limit = 200;   ///< at most this many events; the newest ones
  std::string step;          ///< only events of the step with this key; empty: all
  std::string types;         ///< only events of these types, separated by commas; empty: all
  std::string words;         ///< only lines that contain this text, in any case; empty: all
};

/// Returns the matching events as {"events": […]}, oldest first.
Result<std::string> events_json(const Dir& sidecar, const EventQuery& query);

/// Returns the newest journal records of a step, at most 20: {"records": [{"line", "body"}]}.
Result<std::string> records_json(const Dir& run, const std::string& key);

}  // namespace moonlet::web
