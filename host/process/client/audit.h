// Compares a run's journal with the keeper's log and the files of large values.
// Reads foreign runs and changes nothing. Blocking, any thread.
#pragma once

#include <atomic>
#include <string>

#include <nlohmann/json.hpp>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Returns { records, fenced, torn_bytes, line?, why?, other_format?, marks, values, answers,
/// keyed, unlogged, unbegun, played, acted }.
/// `values` has the lists `missing` and `damaged` of value files, and the number `extra`.
/// `unlogged` lists attempts of finished steps that the keeper's log does not have, except for
/// attempts on another machine.
/// `unbegun` lists attempts in the keeper's log without a `begin` record in the journal.
/// `played` lists unlogged attempts of a cassette, which starts no process.
/// `acted` lists attempts of a cassette that did start a process.
/// `value`, which may be empty, names a large value to which a file other than the journal refers.
/// When `stop` becomes true, the remaining values are not hashed.
Result<nlohmann::json> audit_run(const Dir& run_dir, const std::string& value,
                                 const std::atomic<bool>* stop);

}  // namespace moonlet
