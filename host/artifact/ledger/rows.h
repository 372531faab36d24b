// The rows of the ledger as plain values. Times are milliseconds since 1970 (UTC), money is USD.
// A value that a runner does not report is empty, never 0. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moonlet {

struct LedgerRun {
  std::string id;  ///< "R-007"
  std::string task_id;
  std::string preset;
  std::string title;
  std::string runner;
  std::string model;
  std::string status;   ///< the state: running, parked, finished, …
  std::string verdict;  ///< empty until the run has a verdict
  std::optional<std::int64_t> exit_code;
  std::optional<std::int64_t> started_at;
  std::optional<std::int64_t> ended_at;
  std::optional<std::int64_t> duration_ms;
  std::string parent_run_id;
  std::string replay_reason;
  std::string dir;
  std::optional<std::int64_t> host_pid;
  std::string error;
};

struct LedgerStep {
  std::string key;
  std::int64_t attempt = 1;
  std::int64_t seq = 0;  ///< the position in the run; steps are returned in this order
  std::string kind;
  std::string status;
  std::string runner;
  bool cached = false;
  std::optional<std::int64_t> started_at;
  std::optional<std::int64_t> duration_ms;
  std::string error;
};

struct LedgerUsage {
  std::string run;  ///< set only in a row that was read from the ledger
  std::string step;
  std::int64_t attempt = 1;
  std::string runner;
  std::string model;
  std::string day;  ///< "2026-11-21", UTC
  std::optional<std::int64_t> input, cached, output, reasoning, total;
  std::optional<std::int64_t> written;  ///< tokens of the input that were written into a cache
  std::optional<double> cost_usd;
  std::string cost_is;  ///< the origin of `cost_usd`: "reported" or "estimate"
};

/// LedgerRecord is everything that the ledger stores about a run.
struct LedgerRecord {
  LedgerRun run;
  std::vector<LedgerStep> steps;
  std::vector<LedgerUsage> usage;
};

/// LedgerTotals has sums over attempts. It counts attempts without a value, to reveal partial sums.
/// A sum is empty if no attempt has reported a value.
struct LedgerTotals {
  std::string group;  ///< the day, model, … that the sums belong to; empty if not grouped
  std::int64_t attempts = 0;
  std::int64_t unreported = 0;  ///< attempts without a token count
  std::int64_t unpriced = 0;    ///< attempts whose cost is unknown
  std::int64_t estimated = 0;   ///< attempts whose cost is computed from a table of prices
  std::optional<std::int64_t> input, cached, written, output, reasoning, total;
  std::optional<double> cost_usd;
};

}  // namespace moonlet
