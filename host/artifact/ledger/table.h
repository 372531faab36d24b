// Maps each table's columns to members of its row, for SQL, JSON and comparisons.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "host/artifact/ledger/db.h"
#include "host/artifact/ledger/rows.h"

namespace moonlet {

/// LedgerTable describes the table for rows of one type. `kName` is its name and `kNumber` its
/// column with the run's number. `kKey` lists the columns of the primary key; "" means `kNumber`.
/// `each` calls `visit` for each other column.
template <typename Row>
struct LedgerTable;

template <>
struct LedgerTable<LedgerRun> {
  static constexpr const char* kName = "runs";
  static constexpr const char* kNumber = "number";
  static constexpr const char* kKey = "";
  static void each(auto& row, auto visit) {
    visit("task_id", row.task_id);
    visit("preset", row.preset);
    visit("title", row.title);
    visit("runner", row.runner);
    visit("model", row.model);
    visit("status", row.status);
    visit("verdict", row.verdict);
    visit("exit_code", row.exit_code);
    visit("started_at", row.started_at);
    visit("ended_at", row.ended_at);
    visit("duration_ms", row.duration_ms);
    visit("parent_run_id", row.parent_run_id);
    visit("replay_reason", row.replay_reason);
    visit("dir", row.dir);
    visit("host_pid", row.host_pid);
    visit("error", row.error);
  }
};

template <>
struct LedgerTable<LedgerStep> {
  static constexpr const char* kName = "steps";
  static constexpr const char* kNumber = "run";
  static constexpr const char* kKey = "run, key, attempt";
  static void each(auto& row, auto visit) {
    visit("key", row.key);
    visit("attempt", row.attempt);
    visit("seq", row.seq);
    visit("kind", row.kind);
    visit("status", row.status);
    visit("runner", row.runner);
    visit("cached", row.cached);
    visit("started_at", row.started_at);
    visit("duration_ms", row.duration_ms);
    visit("error", row.error);
  }
};

template <>
struct LedgerTable<LedgerUsage> {
  static constexpr const char* kName = "usage";
  static constexpr const char* kNumber = "run";
  static constexpr const char* kKey = "run, step, attempt";
  static void each(auto& row, auto visit) {
    visit("step", row.step);
    visit("attempt", row.attempt);
    visit("runner", row.runner);
    visit("model", row.model);
    visit("day", row.day);
    visit("input", row.input);
    visit("cached", row.cached);
    visit("written", row.written);
    visit("output", row.output);
    visit("reasoning", row.reasoning);
    visit("total", row.total);
    visit("cost_usd", row.cost_usd);
    visit("cost_is", row.cost_is);
  }
};

/// Lists the columns for SQL, the run's number first.
template <typename Row>
std::string ledger_columns() {
  using Table = LedgerTable<Row>;
  std::string names = Table::kNumber;
  Row row;
  Table::each(row, [&](const char* name, const auto&) { names.append(", ").append(name); });
  return names;
}

/// Writes a row, replacing a row with an equal key.
template <typename Row>
Result<void> put_row(LedgerDb& db, std::int64_t number, const Row& row) {
  using Table = LedgerTable<Row>;
  static const std::string sql = [] {
    const std::string names = ledger_columns<Row>();
    std::string marks = "?";
    for (const char byte : names) marks += byte == ',' ? ", ?" : "";
    return "INSERT OR REPLACE INTO " + std::string(Table::kName) + " (" + names + ") VALUES (" +
           marks + ")";
  }();
  auto query = db.query(sql);
  if (!query) return query.error();
  query->bind(number);
  Table::each(row, [&](const char*, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, bool>) {
      query->bind(std::int64_t{value});
    } else {
      query->bind(value);
    }
  });
  const auto done = query->step();
  if (!done) return done.error();
  return {};
}

/// Reads the columns of ledger_columns(), with the number in column 0.
template <typename Row>
Row read_row(const LedgerQuery& query) {
  using Table = LedgerTable<Row>;
  Row row;
  int column = 1;
  Table::each(row, [&](const char*, auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string>) {
      value = query.text(column);
    } else if constexpr (std::is_same_v<Value, std::optional<double>>) {
      value = query.maybe_real(column);
    } else if constexpr (std::is_same_v<Value, std::optional<std::int64_t>>) {
      value = query.maybe_number(column);
    } else {
      value = static_cast<Value>(query.number(column));
    }
    ++column;
  });
  return row;
}

}  // namespace moonlet
