// The SQL of the ledger's tables. It owns no connection and opens no file. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace moonlet {

/// PRAGMA application_id: "mnlt".
inline constexpr std::int64_t kLedgerOwner = 0x6d6e6c74;
/// PRAGMA user_version. Count it up with each change of a column: a ledger of another version is
/// rebuilt from the files.
inline constexpr std::int64_t kLedgerVersion = 3;

/// Makes all tables in an empty file.
std::string ledger_schema();

}  // namespace moonlet
