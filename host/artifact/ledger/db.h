// LedgerDb is a SQLite connection to the ledger's file, with statements and transactions.
// LedgerDb waits for other processes and changes no global setting of SQLite. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace moonlet {

inline constexpr const char* kLedgerName = "ledger.db";

class LedgerDb;

/// LedgerQuery is a prepared statement in use. Its destructor resets the statement.
class LedgerQuery {
 public:
  LedgerQuery(LedgerDb& db, sqlite3_stmt* statement) : db_(&db), statement_(statement) {}
  ~LedgerQuery();
  LedgerQuery(LedgerQuery&& other) noexcept
      : db_(other.db_),
        statement_(std::exchange(other.statement_, nullptr)),
        bound_(other.bound_) {}
  LedgerQuery& operator=(LedgerQuery&&) = delete;

  // Binds the next parameter. The text must outlive the query.
  void bind(std::string_view text);
  void bind(std::int64_t number);
  void bind(const std::optional<std::int64_t>& number);
  void bind(const std::optional<double>& number);

  /// Moves to the next row. Returns false at the end.
  Result<bool> step();
  /// Calls `fn` for each further row, in which it reads the columns.
  Result<void> each(const std::function<void()>& fn);

  // These functions return a column of the current row. Columns count from 0.
  std::string text(int column) const;
  std::int64_t number(int column) const;
  std::optional<std::int64_t> maybe_number(int column) const;
  std::optional<double> maybe_real(int column) const;

 private:
  LedgerDb* db_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

class LedgerDb {
 public:
  enum class State {
    kUsable,
    kUnreadable,  ///< the file cannot be opened or is locked; its content may be valid
    kDamaged,     ///< this version cannot use the content: rebuild the ledger
  };

  /// Opens or makes the file in `agent`. Sets `state` if this fails.
  static Result<std::unique_ptr<LedgerDb>> open(const Dir& agent, State& state,
                                                std::int64_t patience_ms = 30'000);
  ~LedgerDb();
  LedgerDb(const LedgerDb&) = delete;
  LedgerDb& operator=(const LedgerDb&) = delete;

  /// Returns a prepared statement, which is cached.
  Result<LedgerQuery> query(const std::string& sql);
  /// Runs SQL statements that return no rows.
  Result<void> exec(const char* sql);
  /// Runs `fn` in a transaction and rolls back on an error.
  Result<void> transaction(const std::function<Result<void>()>& fn);
  /// Reads the whole file and checks its structure.
  Result<void> check();

  /// Returns false if the file was replaced or removed since it was opened.
  bool is_current(const Dir& agent) const;
  /// Returns kDamaged if a call has found the file damaged, otherwise kUsable.
  State state() const { return state_; }
  /// Sets how long calls wait while another process locks the file.
  void set_patience(std::int64_t ms) { patience_ms_ = ms; }

 private:
  friend class LedgerQuery;
  LedgerDb() = default;
  Result<void> configure();
  Result<void> check_owner();
  Result<void> look_at_owner();
  Result<void> make_tables();
  Result<std::int64_t> pragma(const char* name);
  Error failure(int code);
  Error damaged(std::string_view why);

  sqlite3* db_ = nullptr;
  std::string path_;
  std::uint64_t device_ = 0, inode_ = 0;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
  std::int64_t patience_ms_ = 0;
  std::int64_t busy_since_ms_ = 0;
  State state_ = State::kUsable;

  static int wait_while_busy(void* self, int count);
  bool wait_for_others(int count);
};

}  // namespace moonlet
