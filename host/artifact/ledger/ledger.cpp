#include "host/artifact/ledger/ledger.h"

#include <poll.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <variant>

#include "host/artifact/ledger/db.h"
#include "host/artifact/ledger/table.h"
#include "host/base/clock.h"
#include "host/base/id.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr char kRunLetter = 'R';

Result<std::int64_t> number_of(std::string_view id) {
  const auto number = id_number(kRunLetter, id);
  if (number != 0) return static_cast<std::int64_t>(number);
  return Error{ErrorKind::kInvalid, "'" + printable(id, 80) + "' is not of the form R-007", {}, {}};
}

std::string id_of(std::int64_t number) {
  return numbered_id(kRunLetter, static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0)));
}

Error no_run(std::string_view id) {
  return {ErrorKind::kInvalid,
          "there is no run '" + printable(id, 80) + "' in the ledger",
          "`moonlet list` shows the runs",
          {}};
}

/// Select builds a SELECT from conditions. The texts must outlive the Select.
class Select {
 public:
  explicit Select(std::string head) : sql_(std::move(head)) {}

  /// Adds `condition`, whose "?" stands for `text`. Does nothing if `text` is empty.
  void where(const char* condition, std::string_view text) {
    if (text.empty()) return;
    add(condition);
    values_.emplace_back(text);
  }
  void where(const char* condition, std::int64_t number) {
    add(condition);
    values_.emplace_back(number);
  }
  void where(const char* condition) { add(condition); }
  void then(const std::string& rest) { sql_ += rest; }
  void limit(std::size_t rows) {
    sql_ += " LIMIT ?";
    constexpr std::size_t kMost = INT64_MAX;
    values_.emplace_back(static_cast<std::int64_t>(std::min(rows, kMost)));
  }

  Result<LedgerQuery> query(LedgerDb& db) const {
    auto query = db.query(sql_);
    if (!query) return query;
    for (const auto& value : values_) std::visit([&](auto bound) { query->bind(bound); }, value);
    return query;
  }

 private:
  void add(const char* condition) {
    sql_ += conditions_++ == 0 ? " WHERE " : " AND ";
    sql_ += condition;
  }

  std::string sql_;
  std::vector<std::variant<std::string_view, std::int64_t>> values_;
  int conditions_ = 0;
};

template <typename Row>
Select select() {
  return Select("SELECT " + ledger_columns<Row>() + " FROM " + LedgerTable<Row>::kName);
}

/// Returns the rows of a query. `named` turns the number in column 0 into the row's id.
template <typename Row, typename Named>
Result<std::vector<Row>> rows_of(LedgerDb& db, const Select& select, Named named) {
  auto query = select.query(db);
  if (!query) return query.error();
  std::vector<Row> rows;
  auto read = query->each([&] {
    rows.push_back(read_row<Row>(*query));
    named(rows.back(), query->number(0));
  });
  if (!read) return read.error();
  return rows;
}

void name_run(LedgerRun& run, std::int64_t number) { run.id = id_of(number); }

constexpr std::string_view kCassette = "cassette";

Result<void> where_usage(Select& select, const UsageFilter& filter) {
  if (!filter.run.empty()) {
    const auto number = number_of(filter.run);
    if (!number) return number.error();
    select.where("run = ?", *number);
  }
  select.where("run IN (SELECT number FROM runs WHERE preset = ?)", filter.preset);
  select.where("runner = ?", filter.runner);
  select.where("model = ?", filter.model);
  select.where("day >= ?", filter.since_day);
  select.where("day <= ?", filter.until_day);
  return {};
}

/// Has the SQL expression to group by for each UsageBy, in the order of the enum.
constexpr const char* kGroups[] = {
    "''", "day", "runner", "model", "run", "(SELECT preset FROM runs WHERE number = usage.run)"};

}  // namespace

Ledger::Ledger(const Dir& agent) : agent_(agent) {}
Ledger::~Ledger() = default;

bool Ledger::present() const { return agent_.exists(kLedgerName); }

Result<LedgerDb*> Ledger::db() {
  // Reopen the ledger if another process or the user has replaced or removed the file.
  if (db_ && !in_transaction_ && !db_->is_current(agent_)) db_.reset();
  if (!db_) {
    LedgerDb::State state;
    auto opened = LedgerDb::open(agent_, state, patience_ms_);
    if (!opened) return opened.error();
    db_ = std::move(*opened);
  }
  db_->set_patience(patience_ms_);
  return db_.get();
}

Result<void> Ledger::together(const std::function<Result<void>()>& fn) {
  auto db = this->db();
  if (!db) return db.error();
  if (in_transaction_) return fn();
  struct Leave {
    bool& flag;
    ~Leave() { flag = false; }
  } leave{in_transaction_ = true};
  return (*db)->transaction(fn);
}

Result<void> Ledger::put_run(const LedgerRun& run) {
  const auto number = number_of(run.id);
  if (!number) return number.error();
  return together([&] { return put_row(*db_, *number, run); });
}

Result<void> Ledger::put_record(const LedgerRecord& record) {
  return together([&]() -> Result<void> {
    if (auto gone = remove_run(record.run.id); !gone) return gone;
    if (auto put = put_run(record.run); !put) return put;
    const std::int64_t number = *number_of(record.run.id);
    for (const auto& step : record.steps) {
      if (auto put = put_row(*db_, number, step); !put) return put;
    }
    for (const auto& usage : record.usage) {
      if (auto put = put_row(*db_, number, usage); !put) return put;
    }
    return {};
  });
}

Result<void> Ledger::remove_run(std::string_view id) {
  const auto number = number_of(id);
  if (!number) return number.error();
  return together([&]() -> Result<void> {
    for (const char* sql : {"DELETE FROM runs WHERE number = ?", "DELETE FROM steps WHERE run = ?",
                            "DELETE FROM usage WHERE run = ?"}) {
      auto query = db_->query(sql);
      if (!query) return query.error();
      query->bind(*number);
      if (auto done = query->step(); !done) return done.error();
    }
    return {};
  });
}

Result<void> Ledger::set_complete_to(std::uint64_t number) {
  return together([&]() -> Result<void> {
    auto query = db_->query("INSERT OR REPLACE INTO marks (name, value) VALUES ('complete_to', ?)");
    if (!query) return query.error();
    query->bind(static_cast<std::int64_t>(number));
    if (auto done = query->step(); !done) return done.error();
    return {};
  });
}

Result<void> Ledger::set_aside() {
  db_.reset();
  const std::string stem =
      std::string(kLedgerName) + ".damaged-" + compact_utc(SystemClock().wall_ms());
  std::string name = stem;
  for (int i = 2; agent_.exists(name) && i < 1000; ++i) name = stem + "-" + std::to_string(i);
  // Move the write-ahead log first, because SQLite would apply an old log to a new file.
  for (const char* end : {"-wal", "-shm", ""}) {
    const std::string old = std::string(kLedgerName) + end;
    if (!agent_.exists(old)) continue;
    if (auto moved = agent_.rename(old, name + end); !moved) return moved;
  }
  return agent_.sync_dir();
}

Result<void> Ledger::refill(const std::function<Result<void>()>& fill) {
  return together([&]() -> Result<void> {
    for (const char* table : {"runs", "steps", "usage", "marks"}) {
      if (auto gone = db_->exec((std::string("DELETE FROM ") + table).c_str()); !gone) return gone;
    }
    return fill();
  });
}

Result<void> Ledger::rebuild(const std::function<Result<void>()>& fill) {
  if (in_transaction_) {
    return Error{ErrorKind::kInvalid, "the ledger cannot be rebuilt within a transaction", {}, {}};
  }
  // Two processes that rebuild a damaged ledger must not move each other's new file.
  auto lock = agent_.open_update("ledger.lock");
  if (!lock) return lock.error();
  constexpr int kTries = 3000;
  for (int i = 0; ::flock(lock->get(), LOCK_EX | LOCK_NB) != 0; ++i) {
    const int number = errno;
    if (number != EWOULDBLOCK && number != EINTR) {
      return Error::from_errno(number, "lock", printable(agent_.path_of("ledger.lock")));
    }
    if (i == kTries) {
      return Error{ErrorKind::kTimeout,
                   "another process has been rebuilding the ledger for a long time",
                   "wait for it, or end it", printable(agent_.path_of("ledger.lock"))};
    }
    ::poll(nullptr, 0, 10);
  }
  for (bool second : {false, true}) {
    auto state = LedgerDb::State::kUsable;
    Result<void> result;
    db_.reset();
    auto opened = LedgerDb::open(agent_, state, patience_ms_);
    if (opened) {
      db_ = std::move(*opened);
      result = db_->check();
      if (result.ok()) result = refill(fill);
      state = db_->state();
    } else {
      result = opened.error();
    }
    if (result.ok() || state != LedgerDb::State::kDamaged || second) return result;
    if (auto aside = set_aside(); !aside) return aside;
  }
  return {};
}

Result<std::vector<LedgerRun>> Ledger::list_runs(const RunFilter& filter, std::size_t limit,
                                                 std::string_view before) {
  auto db = this->db();
  if (!db) return db.error();
  auto runs = select<LedgerRun>();
  runs.where("task_id = ?", filter.task);
  runs.where("preset = ?", filter.preset);
  runs.where("verdict = ?", filter.verdict);
  runs.where("status = ?", filter.status);
  runs.where("parent_run_id = ?", filter.parent);
  if (!before.empty()) {
    const auto number = number_of(before);
    if (!number) return number.error();
    runs.where("number < ?", *number);
  }
  runs.then(" ORDER BY number DESC");
  runs.limit(limit);
  return rows_of<LedgerRun>(**db, runs, name_run);
}

Result<LedgerRun> Ledger::get_run(std::string_view id) {
  auto db = this->db();
  if (!db) return db.error();
  const auto number = number_of(id);
  if (!number) return number.error();
  auto one = select<LedgerRun>();
  one.where("number = ?", *number);
  auto rows = rows_of<LedgerRun>(**db, one, name_run);
  if (!rows) return rows.error();
  if (rows->empty()) return no_run(id);
  return std::move(rows->front());
}

Result<LedgerRecord> Ledger::get_record(std::string_view id) {
  LedgerRecord record;
  auto run = get_run(id);
  if (!run) return run.error();
  record.run = std::move(*run);
  auto steps = steps_of(id);
  if (!steps) return steps.error();
  record.steps = std::move(*steps);
  UsageFilter own;
  own.run = id;
  auto usage = list_usage(own, SIZE_MAX);
  if (!usage) return usage.error();
  record.usage = std::move(*usage);
  return record;
}

Result<std::vector<std::uint64_t>> Ledger::run_numbers(std::uint64_t after) {
  auto db = this->db();
  if (!db) return db.error();
  Select numbers("SELECT number FROM runs");
  numbers.where("number > ?", static_cast<std::int64_t>(after));
  numbers.then(" ORDER BY number");
  auto query = numbers.query(**db);
  if (!query) return query.error();
  std::vector<std::uint64_t> found;
  auto read = query->each([&] { found.push_back(static_cast<std::uint64_t>(query->number(0))); });
  if (!read) return read.error();
  return found;
}

Result<std::uint64_t> Ledger::complete_to() {
  auto db = this->db();
  if (!db) return db.error();
  auto query = (*db)->query("SELECT value FROM marks WHERE name = 'complete_to'");
  if (!query) return query.error();
  const auto row = query->step();
  if (!row) return row.error();
  return *row ? static_cast<std::uint64_t>(std::max<std::int64_t>(query->number(0), 0)) : 0;
}

Result<std::vector<LedgerStep>> Ledger::steps_of(std::string_view run) {
  auto db = this->db();
  if (!db) return db.error();
  const auto number = number_of(run);
  if (!number) return number.error();
  auto steps = select<LedgerStep>();
  steps.where("run = ?", *number);
  steps.then(" ORDER BY seq, key, attempt");
  return rows_of<LedgerStep>(**db, steps, [](LedgerStep&, std::int64_t) {});
}

Result<std::vector<LedgerUsage>> Ledger::list_usage(const UsageFilter& filter, std::size_t limit) {
  auto db = this->db();
  if (!db) return db.error();
  auto usage = select<LedgerUsage>();
  if (auto fine = where_usage(usage, filter); !fine) return fine.error();
  usage.then(" ORDER BY run DESC, step, attempt");
  usage.limit(limit);
  return rows_of<LedgerUsage>(
      **db, usage, [](LedgerUsage& row, std::int64_t number) { row.run = id_of(number); });
}

Result<std::vector<LedgerTotals>> Ledger::usage_totals(const UsageFilter& filter, UsageBy by) {
  auto db = this->db();
  if (!db) return db.error();
  const std::string group = kGroups[static_cast<int>(by)];
  // Use total() instead of sum(), because absurd numbers from an agent must not overflow.
  const auto sum_of = [](const std::string& value, const std::string& known) {
    return ", CASE WHEN count(" + known + ") > 0 THEN total(" + value + ") END";
  };
  Select sums("SELECT " + group +
              ", count(*), count(*) - count(coalesce(total, input, output)), "
              "count(*) - count(cost_usd), total(cost_usd IS NOT NULL AND cost_is = 'estimate')" +
              sum_of("input", "input") + sum_of("cached", "cached") + sum_of("output", "output") +
              sum_of("reasoning", "reasoning") +
              sum_of("coalesce(total, coalesce(input, 0) + coalesce(output, 0))",
                     "coalesce(total, input, output)") +
              sum_of("cost_usd", "cost_usd") + sum_of("written", "written") + " FROM usage");
  if (auto fine = where_usage(sums, filter); !fine) return fine.error();
  // Ignore usage rows whose run is unknown.
  sums.where("run IN (SELECT number FROM runs)");
  // A cassette replays usage that was paid at its recording, so ignore that usage.
  if (filter.runner != kCassette) sums.where("coalesce(runner, '') <> ?", kCassette);
  if (by != UsageBy::kAll) sums.then(" GROUP BY " + group + " ORDER BY " + group);
  auto query = sums.query(**db);
  if (!query) return query.error();
  std::vector<LedgerTotals> totals;
  auto read = query->each([&] {
    LedgerTotals& row = totals.emplace_back();
    row.group = by == UsageBy::kRun ? id_of(query->number(0)) : query->text(0);
    row.attempts = query->number(1);
    row.unreported = query->number(2);
    row.unpriced = query->number(3);
    row.estimated = query->number(4);
    row.input = query->maybe_number(5);
    row.cached = query->maybe_number(6);
    row.output = query->maybe_number(7);
    row.reasoning = query->maybe_number(8);
    row.total = query->maybe_number(9);
    row.cost_usd = query->maybe_real(10);
    row.written = query->maybe_number(11);
  });
  if (!read) return read.error();
  return totals;
}

Result<std::vector<std::string>> Ledger::strays() {
  auto db = this->db();
  if (!db) return db.error();
  std::vector<std::string> found;
  for (const std::string table : {"steps", "usage"}) {
    auto query = (*db)->query("SELECT DISTINCT run FROM " + table +
                              " WHERE run NOT IN (SELECT number FROM runs) LIMIT 20");
    if (!query) return query.error();
    auto read = query->each([&] { found.push_back(table + " of " + id_of(query->number(0))); });
    if (!read) return read.error();
  }
  return found;
}

}  // namespace moonlet
