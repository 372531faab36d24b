// Ledger is the index `.agent/ledger.db` over runs, steps and usage.
// A query over a million runs takes a millisecond. The ledger can be rebuilt from the files.
// Ledger opens a SQLite connection at the first use. One thread, but many processes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/artifact/ledger/rows.h"
#include "host/base/result.h"

namespace moonlet {

class LedgerDb;

/// RunFilter selects the runs that match all of its nonempty fields.
struct RunFilter {
  std::string task;
  std::string preset;
  std::string verdict;
  std::string status;
  std::string parent;  ///< the run that this run replays or belongs to
};

struct UsageFilter {
  std::string run;
  std::string preset;  ///< the preset of the run
  std::string runner;
  std::string model;
  std::string since_day;  ///< the first day to include, such as "2026-11-01"
  std::string until_day;  ///< the last day to include
};

enum class UsageBy { kAll, kDay, kRunner, kModel, kRun, kPreset };

class Ledger {
 public:
  /// Borrows `agent`, the `.agent` folder, which must outlive the ledger.
  /// Opens or makes the file at the first call of another method.
  /// Methods fail with kFailed for a damaged, foreign or newer ledger, and with kDenied on a
  /// read-only file system.
  explicit Ledger(const Dir& agent);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// Returns false if the ledger's file does not exist, so that it must be rebuilt.
  bool present() const;
  /// Sets how long calls wait while another process locks the file, before they fail with kTimeout.
  /// Initially 30 seconds.
  void set_patience(std::int64_t ms) { patience_ms_ = ms; }

  // Each write is a transaction of its own, except inside together().
  // A written row replaces the row with the same id.

  Result<void> put_run(const LedgerRun& run);
  /// Replaces a run with all of its steps and usage.
  Result<void> put_record(const LedgerRecord& record);
  Result<void> remove_run(std::string_view id);
  /// Runs `fn` as a transaction: an error undoes all of its writes.
  Result<void> together(const std::function<Result<void>()>& fn);

  /// Empties the ledger and lets `fill` write all rows in one transaction. Other processes wait.
  /// Keeps a damaged, foreign or newer ledger as `ledger.db.damaged-<time>`.
  Result<void> rebuild(const std::function<Result<void>()>& fill);

  // For a missing run, get_run() and get_record() fail with kInvalid, and lists are empty.

  /// Returns the newest runs, at most `limit`. `before` is the last run of the previous page.
  Result<std::vector<LedgerRun>> list_runs(const RunFilter& filter, std::size_t limit,
                                           std::string_view before = {});
  Result<LedgerRun> get_run(std::string_view id);
  Result<LedgerRecord> get_record(std::string_view id);
  /// Returns the numbers of the runs after number `after`, ascending.
  Result<std::vector<std::uint64_t>> run_numbers(std::uint64_t after);
  Result<std::vector<LedgerStep>> steps_of(std::string_view run);
  Result<std::vector<LedgerUsage>> list_usage(const UsageFilter& filter, std::size_t limit);
  /// Sums usage over the runs in the ledger.
  /// Usage that a cassette replayed counts only if the filter names the runner "cassette".
  Result<std::vector<LedgerTotals>> usage_totals(const UsageFilter& filter, UsageBy by);
  /// Finds rows of steps and usage whose run is missing in the ledger. Each entry is a text such as
  /// "usage of R-077". Lists at most 20 runs for steps, and 20 for usage.
  Result<std::vector<std::string>> strays();

  /// Returns the highest run number up to which the ledger is complete; 0 if unknown.
  Result<std::uint64_t> complete_to();
  Result<void> set_complete_to(std::uint64_t number);

 private:
  Result<LedgerDb*> db();
  Result<void> set_aside();
  Result<void> refill(const std::function<Result<void>()>& fill);

  const Dir& agent_;
  std::unique_ptr<LedgerDb> db_;
  std::int64_t patience_ms_ = 30'000;
  bool in_transaction_ = false;
};

}  // namespace moonlet
