// Compares a run's journal with the keeper's log and the files of large values.
// Reads foreign runs and changes nothing. Blocking, any thread.
#pragma once

#include <atomic>
#include <string>

#include <nlohmann/json.hpp>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Returns { records, fenced, torn_bytes, line?, why?, other_format?, marks, values, … }.
/// The result also has answers, keyed, unlogged, unbegun, played and acted.
/// `values` has the lists `missing` and `damaged` of value files, and the number `extra`.
/// `unlogged` are attempts of finished steps without a trace in the keeper's log, unless they went
/// to another machine.
/// `unbegun` are attempts in the keeper's log that no journal record began.
/// `played` are unlogged attempts of a cassette, which starts no process.
/// `acted` are attempts of a cassette that did start a process.
/// `value` is the name of a large value to which a file other than the journal refers, or empty.
/// When `stop` becomes true, the remaining values are not hashed.
Result<nlohmann::json> audit_run(const Dir& run_dir, const std::string& value,
                                 const std::atomic<bool>* stop);

}  // namespace moonlet
