// Fills the ledger from the folders of the runs, completely or only with the missing runs.
// The ledger may lack runs of a host that died. Single-threaded.
#pragma once

#include <cstdint>

#include "host/artifact/file/dir.h"
#include "host/artifact/ledger/ledger.h"
#include "host/base/result.h"

namespace moonlet {

struct LedgerFill {
  std::uint64_t runs = 0;     ///< the number of added runs
  std::uint64_t skipped = 0;  ///< folders of runs whose record is missing or damaged
};

/// Rebuilds the ledger from all runs in the `.agent` folder. See Ledger::rebuild().
Result<LedgerFill> rebuild_ledger(Ledger& ledger, const Dir& agent);

/// Adds runs that the ledger lacks, and updates ended runs that it lists as running.
/// The cost depends on the number of running and new runs, not on all runs.
Result<LedgerFill> complete_ledger(Ledger& ledger, const Dir& agent);

/// Marks the ledger as incomplete after a failed write. The next query must first rebuild it.
Result<void> mark_ledger_stale(const Dir& agent);
bool is_ledger_stale(const Dir& agent);
/// Call unmark_ledger_stale() before the rebuild, so that a mark that is set meanwhile stays.
Result<void> unmark_ledger_stale(const Dir& agent);

}  // namespace moonlet
