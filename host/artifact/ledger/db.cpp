#include "host/artifact/ledger/db.h"

#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "host/artifact/ledger/table.h"
#include "host/base/clock.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr const char* kRebuild = "`moonlet run verify --rebuild` rebuilds it from the runs";

// SQLite's application_id, "mnlt" in ASCII.
constexpr std::int64_t kLedgerOwner = 0x6d6e6c74;
// SQLite's user_version. Increment it with each change of a column. A ledger of another version is
// rebuilt from the run files.
constexpr std::int64_t kLedgerVersion = 3;

// The rowid of a run is its number. Every index ends with the number for sorting by age.
constexpr const char* kRest = R"sql(
CREATE INDEX runs_by_task ON runs (task_id);
CREATE INDEX runs_by_task_and_verdict ON runs (task_id, verdict);
CREATE INDEX runs_by_task_and_status ON runs (task_id, status);
CREATE INDEX runs_by_preset ON runs (preset);
CREATE INDEX runs_by_preset_and_verdict ON runs (preset, verdict);
CREATE INDEX runs_by_preset_and_status ON runs (preset, status);
CREATE INDEX runs_by_verdict ON runs (verdict);
CREATE INDEX runs_by_status ON runs (status);
CREATE INDEX runs_by_parent ON runs (parent_run_id);
CREATE INDEX usage_by_day ON usage (day);
CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
)sql";

template <typename Row>
std::string create_table() {
  using Table = LedgerTable<Row>;
  const std::string key = Table::kKey;
  std::string sql = std::string("CREATE TABLE ") + Table::kName + " (" + Table::kNumber;
  sql += key.empty() ? " INTEGER PRIMARY KEY" : " INTEGER";
  const Row row;
  Table::each(row, [&](const char* name, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    sql.append(", ").append(name);
    sql += std::is_same_v<Value, std::string>             ? " TEXT"
           : std::is_same_v<Value, std::optional<double>> ? " REAL"
                                                          : " INTEGER";
  });
  return sql + (key.empty() ? ");" : ", PRIMARY KEY (" + key + ")) WITHOUT ROWID;");
}

// Returns the SQL that makes all tables in an empty file.
std::string ledger_schema() {
  return create_table<LedgerRun>() + create_table<LedgerStep>() + create_table<LedgerUsage>() +
         kRest;
}

bool is_busy(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_PROTOCOL;
}

/// Returns why SQLite can only read the file, as an errno. The file, its folder or its file system
/// may be read-only.
int why_read_only(const std::string& path) {
  for (const std::string& place : {path, path.substr(0, path.rfind('/') + 1)}) {
    if (::faccessat(AT_FDCWD, place.c_str(), W_OK, AT_EACCESS) != 0) return errno;
  }
  return EACCES;
}

// SQLite opens the file by name, so refuse links first.
Result<void> refuse_links(const Dir& agent, LedgerDb::State& state) {
  for (const char* end : {"", "-wal", "-shm"}) {
    const std::string name = std::string(kLedgerName) + end;
    const auto info = agent.stat(name);
    if (!info && info.error().kind == ErrorKind::kInvalid) continue;
    if (!info) return info.error();
    if (info->kind == EntryKind::kFile && info->links == 1) continue;
    state = LedgerDb::State::kDamaged;
    const std::string at = printable(agent.path_of(name));
    return Error{ErrorKind::kFailed, at + " is not a regular file with one name", kRebuild, at};
  }
  return {};
}

}  // namespace

LedgerQuery::~LedgerQuery() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void LedgerQuery::bind(std::string_view text) {
  sqlite3_bind_text64(statement_, ++bound_, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void LedgerQuery::bind(std::int64_t number) { sqlite3_bind_int64(statement_, ++bound_, number); }

void LedgerQuery::bind(const std::optional<std::int64_t>& number) {
  ++bound_;
  if (number) sqlite3_bind_int64(statement_, bound_, *number);
}

void LedgerQuery::bind(const std::optional<double>& number) {
  ++bound_;
  if (number) sqlite3_bind_double(statement_, bound_, *number);
}

Result<bool> LedgerQuery::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return db_->failure(code);
}

Result<void> LedgerQuery::each(const std::function<void()>& fn) {
  for (;;) {
    const auto more = step();
    if (!more) return more.error();
    if (!*more) return {};
    fn();
  }
}

std::string LedgerQuery::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::int64_t LedgerQuery::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::optional<std::int64_t> LedgerQuery::maybe_number(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return sqlite3_column_int64(statement_, column);
}

std::optional<double> LedgerQuery::maybe_real(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return sqlite3_column_double(statement_, column);
}

Result<std::unique_ptr<LedgerDb>> LedgerDb::open(const Dir& agent, State& state,
                                                 std::int64_t patience_ms) {
  state = State::kUnreadable;
  if (auto fine = refuse_links(agent, state); !fine) return fine.error();
  std::unique_ptr<LedgerDb> db(new LedgerDb);
  db->path_ = agent.path_of(kLedgerName);
  db->patience_ms_ = patience_ms;
  const int code = sqlite3_open_v2(
      db->path_.c_str(), &db->db_,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
      nullptr);
  Result<void> fine;
  if (code != SQLITE_OK) {
    fine = db->failure(code);
  } else if (sqlite3_db_readonly(db->db_, "main") == 1) {
    fine = db->failure(SQLITE_READONLY);
  }
  if (fine.ok()) fine = db->configure();
  if (fine.ok()) fine = db->check_owner();
  if (fine.ok()) fine = db->exec("PRAGMA journal_mode = WAL");
  if (fine.ok()) fine = db->make_tables();
  const auto info = agent.stat(kLedgerName);
  if (fine.ok() && !info) fine = info.error();
  state = db->state_ == State::kUsable && !fine ? State::kUnreadable : db->state_;
  if (!fine) return fine.error();
  db->device_ = info->device;
  db->inode_ = info->inode;
  return db;
}

LedgerDb::~LedgerDb() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Result<void> LedgerDb::configure() {
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_handler(db_, wait_while_busy, this);
  // The file may come from an untrusted repository, so run no code from it.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // A power loss may destroy the last transactions, but the index can be rebuilt from the files.
  return exec("PRAGMA synchronous = NORMAL; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0");
}

/// Reads owner, version and tables in one transaction, because another process may be creating
/// the file.
Result<void> LedgerDb::check_owner() {
  if (auto begun = exec("BEGIN"); !begun) return begun;
  auto result = look_at_owner();
  return result.ok() ? exec("COMMIT") : result;
}

Result<void> LedgerDb::look_at_owner() {
  const auto owner = pragma("PRAGMA application_id");
  if (!owner) return owner.error();
  const auto version = pragma("PRAGMA user_version");
  if (!version) return version.error();
  if (*owner != kLedgerOwner) {
    const auto tables = pragma("SELECT count(*) FROM sqlite_schema");
    if (!tables) return tables.error();
    if (*owner == 0 && *version == 0 && *tables == 0) return {};
    return damaged("it is not a ledger of moonlet");
  }
  if (*version == kLedgerVersion) return {};
  if (*version < kLedgerVersion) return damaged("it was written by an older moonlet");
  auto error = damaged("it was written by a newer moonlet");
  error.hint = "use that one, or: " + error.hint;
  return error;
}

Result<void> LedgerDb::make_tables() {
  const auto version = pragma("PRAGMA user_version");
  if (!version) return version.error();
  if (*version == kLedgerVersion) return {};
  return transaction([this]() -> Result<void> {
    // Another process may have created the tables first.
    const auto now = pragma("PRAGMA user_version");
    if (!now) return now.error();
    if (*now == kLedgerVersion) return {};
    const std::string sql = ledger_schema() +
                            "PRAGMA application_id = " + std::to_string(kLedgerOwner) +
                            "; PRAGMA user_version = " + std::to_string(kLedgerVersion);
    return exec(sql.c_str());
  });
}

Result<std::int64_t> LedgerDb::pragma(const char* name) {
  auto asked = query(name);
  if (!asked) return asked.error();
  const auto row = asked->step();
  if (!row) return row.error();
  return *row ? asked->number(0) : 0;
}

bool LedgerDb::is_current(const Dir& agent) const {
  const auto info = agent.stat(kLedgerName);
  return info.ok() && info->device == device_ && info->inode == inode_;
}

Result<LedgerQuery> LedgerDb::query(const std::string& sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(db_, sql.c_str(), static_cast<int>(sql.size()) + 1,
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) {
      statements_.erase(sql);
      return failure(code);
    }
  }
  return LedgerQuery(*this, statement);
}

Result<void> LedgerDb::exec(const char* sql) {
  const std::int64_t start = SystemClock().monotonic_ms();
  int code = SQLITE_OK;
  for (int count = 0;; ++count) {
    code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
    // SQLite does not call its busy handler while another process switches to WAL or recovers.
    if (!is_busy(code) || sqlite3_get_autocommit(db_) == 0) break;
    if (SystemClock().monotonic_ms() - start >= patience_ms_ || !wait_for_others(count)) break;
  }
  if (code != SQLITE_OK) return failure(code);
  return {};
}

Result<void> LedgerDb::transaction(const std::function<Result<void>()>& fn) {
  // Lock for writing now. A transaction that reads first may fail at its first write, and SQLite
  // then does not retry.
  if (auto begun = exec("BEGIN IMMEDIATE"); !begun) return begun;
  // `Undo` rolls back if `fn` fails or throws.
  struct Undo {
    sqlite3* db;
    ~Undo() {
      if (sqlite3_get_autocommit(db) == 0) sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
    }
  } undo{db_};
  auto result = fn();
  return result.ok() ? exec("COMMIT") : result;
}

Result<void> LedgerDb::check() {
  auto asked = query("PRAGMA quick_check(1)");
  if (!asked) return asked.error();
  const auto row = asked->step();
  if (!row) return row.error();
  if (*row && asked->text(0) == "ok") return {};
  return damaged(*row ? asked->text(0) : "its check says nothing");
}

int LedgerDb::wait_while_busy(void* self, int count) {
  return static_cast<LedgerDb*>(self)->wait_for_others(count) ? 1 : 0;
}

// Sleeps with exponential backoff and jitter. Returns false when `patience_ms_` has passed.
bool LedgerDb::wait_for_others(int count) {
  const std::int64_t now = SystemClock().monotonic_ms();
  if (count == 0) busy_since_ms_ = now;
  if (now - busy_since_ms_ >= patience_ms_) return false;
  thread_local std::minstd_rand random{std::random_device{}()};
  const unsigned longest = 2U << std::min(count, 5);
  ::poll(nullptr, 0, static_cast<int>(1 + random() % longest));
  return true;
}

Error LedgerDb::damaged(std::string_view why) {
  state_ = State::kDamaged;
  const std::string at = printable(path_);
  return {ErrorKind::kFailed, "the ledger " + at + " cannot be used: " + printable(why), kRebuild,
          at};
}

Error LedgerDb::failure(int code) {
  const std::string path = printable(path_);
  const std::string reason = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code);
  if (is_busy(code)) {
    return {ErrorKind::kTimeout, "other processes keep the ledger busy: " + path,
            "try again when they have ended; `moonlet ps` shows what runs", path};
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Error::from_errno(ENOSPC, "write", path);
    case SQLITE_READONLY: {
      auto error = Error::from_errno(why_read_only(path_), "write", path);
      error.hint = "make it and its folder writable, or name a writable place with --repo";
      return error;
    }
    case SQLITE_TOOBIG:
      return {ErrorKind::kLimit, "a text is too long for the ledger " + path, {}, path};
    case SQLITE_NOMEM:
      return Error::from_errno(ENOMEM, "use", path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH: {
      const int number = db_ != nullptr ? sqlite3_system_errno(db_) : 0;
      auto error = Error::from_errno(number != 0 ? number : EIO, "use", path);
      error.message += " (" + printable(reason) + ")";
      return error;
    }
    default:
      // The file is corrupt or foreign, or its tables do not match the statements.
      return damaged(reason);
  }
}

}  // namespace moonlet
