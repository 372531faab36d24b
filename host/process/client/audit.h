// The audit of a run: what its journal says, held against the keeper's log and the files of large
// values. It reads runs that others made, as they are, and changes nothing. Blocking, any thread.
#pragma once

#include <atomic>
#include <string>

#include <nlohmann/json.hpp>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// { records, fenced, torn_bytes, line?, why?, other_format?, marks, values = { missing, damaged,
/// extra }, answers, keyed, unlogged, unbegun, played, acted }. `unlogged` are attempts of finished
/// steps that left no trace in the keeper's log, `unbegun` the attempts in it that nobody had
/// begun. A cassette starts no process: `played` are the unlogged ones that say they are of one,
/// `acted` those that say so and were started all the same. `value` is the name of a large value
/// that another file than the journal has, or empty. When `stop` becomes true, the values are not
/// hashed to their end.
Result<nlohmann::json> audit_run(const Dir& run_dir, const std::string& value,
                                 const std::atomic<bool>* stop);

}  // namespace moonlet
