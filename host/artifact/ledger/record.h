// Reads the ledger's row of a run from the run's own record (`run.json`). The record is the truth
// and may be damaged or written by hand: a field of the wrong type counts as missing. Pure
// functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/ledger/rows.h"
#include "host/base/result.h"

namespace moonlet {

inline constexpr const char* kRunRecordName = "run.json";
inline constexpr std::size_t kLongestRunRecord = std::size_t{64} << 20;

/// The rows of run `id` from the text of its record. kInvalid when it is not a record of that run.
Result<LedgerRecord> ledger_record(std::string_view id, std::string_view text);

/// The differences between two records of a run, for a person: "status (running, not finished)", …;
/// at most ten places.
std::vector<std::string> ledger_differences(const LedgerRecord& is, const LedgerRecord& should_be);

}  // namespace moonlet
