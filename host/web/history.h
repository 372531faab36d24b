// History reads a run's past for the page: a table of its steps, pages of its events, and the
// records of a step. Stateless, any thread.
#pragma once

#include <cstdint>
#include <string>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet::web {

/// Returns the run's steps, phases and resumes as JSON. Each step is an array, so that
/// 10,000 steps take a few hundred kilobytes. `number` is the last event in the result.
Result<std::string> steps_json(const Dir& sidecar);

struct EventQuery {
  std::uint64_t before = 0;  ///< only events with a lower number; 0: no limit
  std::size_t limit = 200;   ///< the most events, the newest ones
  std::string step;          ///< only events of this step; empty: all
  std::string types;         ///< only these types, separated by commas; empty: all
  std::string words;         ///< only lines with this text; letter case is ignored
};

/// Returns {"events": […]}, oldest first.
Result<std::string> events_json(const Dir& sidecar, const EventQuery& query);

/// Returns the newest 20 journal records of a step: {"records": [{"line", "body"}]}.
Result<std::string> records_json(const Dir& run, const std::string& key);

}  // namespace moonlet::web
