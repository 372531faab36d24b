#include "host/artifact/ledger/schema.h"

#include <iterator>

namespace moonlet {

namespace {

// Never change one that was released; add the next. Rows are found by the number of their run, the
// rowid, which is also the last column of every index: "newest first" needs no sorting.
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE runs (
  number INTEGER PRIMARY KEY, task_id TEXT, preset TEXT, title TEXT, runner TEXT, model TEXT,
  status TEXT, verdict TEXT, exit_code INTEGER, started_at INTEGER, ended_at INTEGER,
  duration_ms INTEGER, parent_run_id TEXT, replay_reason TEXT, dir TEXT, host_pid INTEGER,
  error TEXT
);
CREATE INDEX runs_by_task ON runs (task_id);
CREATE INDEX runs_by_task_and_verdict ON runs (task_id, verdict);
CREATE INDEX runs_by_task_and_status ON runs (task_id, status);
CREATE INDEX runs_by_preset ON runs (preset);
CREATE INDEX runs_by_preset_and_verdict ON runs (preset, verdict);
CREATE INDEX runs_by_preset_and_status ON runs (preset, status);
CREATE INDEX runs_by_verdict ON runs (verdict);
CREATE INDEX runs_by_status ON runs (status);
CREATE INDEX runs_by_parent ON runs (parent_run_id);
CREATE TABLE steps (
  run INTEGER NOT NULL, key TEXT NOT NULL, attempt INTEGER NOT NULL, seq INTEGER, kind TEXT,
  status TEXT, runner TEXT, cached INTEGER, started_at INTEGER, duration_ms INTEGER, error TEXT,
  PRIMARY KEY (run, key, attempt)
) WITHOUT ROWID;
CREATE TABLE usage (
  run INTEGER NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, runner TEXT, model TEXT,
  day TEXT, input INTEGER, cached INTEGER, output INTEGER, reasoning INTEGER, total INTEGER,
  cost_usd REAL, cost_is TEXT,
  PRIMARY KEY (run, step, attempt)
) WITHOUT ROWID;
CREATE INDEX usage_by_day ON usage (day);
)sql",
    R"sql(
CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
)sql",
    R"sql(
ALTER TABLE usage ADD COLUMN written INTEGER;
)sql",
};

}  // namespace

const std::int64_t kLedgerVersion = std::size(kMigrations);

const char* ledger_migration(std::int64_t version) { return kMigrations[version]; }

}  // namespace moonlet
