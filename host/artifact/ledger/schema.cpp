#include "host/artifact/ledger/schema.h"

#include "host/artifact/ledger/table.h"

namespace moonlet {

namespace {

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

}  // namespace

std::string ledger_schema() {
  return create_table<LedgerRun>() + create_table<LedgerStep>() + create_table<LedgerUsage>() +
         kRest;
}

}  // namespace moonlet
