// The tables of the ledger, as migrations from one version to the next. Pure data: it owns no
// connection and opens no file. Any thread.
#pragma once

#include <cstdint>

namespace moonlet {

/// PRAGMA application_id: "mnlt".
inline constexpr std::int64_t kLedgerOwner = 0x6d6e6c74;
/// PRAGMA user_version of a ledger that this moonlet writes.
extern const std::int64_t kLedgerVersion;

/// The SQL that brings a ledger of version `version` (0 is an empty one) to the next.
const char* ledger_migration(std::int64_t version);

}  // namespace moonlet
