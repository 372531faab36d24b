// Reads the ledger's row of a run from `run.json`, which is authoritative.
// run.json may be damaged or hand-written: a field of the wrong type counts as missing.
// All functions are pure and may run on any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/ledger/rows.h"
#include "host/base/result.h"

namespace moonlet {

inline constexpr const char* kRunRecordName = "run.json";
inline constexpr std::size_t kLongestRunRecord = std::size_t{64} << 20;

/// Returns the rows of run `id`, parsed from the `text` of its run.json. Fails with kInvalid if
/// `text` is not the record of this run.
Result<LedgerRecord> ledger_record(std::string_view id, std::string_view text);

/// Describes the differences of two records of a run, such as "status (running, not finished)".
/// Returns at most ten.
std::vector<std::string> ledger_differences(const LedgerRecord& is, const LedgerRecord& should_be);

}  // namespace moonlet
