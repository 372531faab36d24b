// Provides the SQL of the ledger's tables. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace moonlet {

/// kLedgerOwner is SQLite's application_id, "mnlt" in ASCII.
inline constexpr std::int64_t kLedgerOwner = 0x6d6e6c74;
/// kLedgerVersion is SQLite's user_version. Increment it with each change of a column.
/// A ledger of another version is rebuilt from the run files.
inline constexpr std::int64_t kLedgerVersion = 3;

/// Returns the SQL that makes all tables in an empty file.
std::string ledger_schema();

}  // namespace moonlet
