// Fills the ledger from the folders of the runs, all of it or only the missing runs: a host may
// have died or failed to write it. Reads the runs and writes only the ledger. One thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/artifact/ledger/ledger.h"
#include "host/base/result.h"

namespace moonlet {

struct LedgerFill {
  std::uint64_t runs = 0;     ///< that were put into it
  std::uint64_t skipped = 0;  ///< folders of runs whose record is missing or damaged
};

/// See Ledger::rebuild. `agent` is the `.agent` folder.
Result<LedgerFill> rebuild_ledger(Ledger& ledger, const Dir& agent);

/// Puts runs into the ledger that are on the disk and missing there, or that it shows as running
/// although they have ended: a host may be killed before it writes the ledger. The cost grows with
/// the number of such runs, and of those made since the last call, not with that of all.
Result<LedgerFill> complete_ledger(Ledger& ledger, const Dir& agent);

/// Marks the ledger as incomplete after a failed write: it must be rebuilt before the next query.
Result<void> mark_ledger_stale(const Dir& agent);
bool is_ledger_stale(const Dir& agent);
/// Call it before the rebuild, so that a mark made during the rebuild stays.
Result<void> unmark_ledger_stale(const Dir& agent);

}  // namespace moonlet
