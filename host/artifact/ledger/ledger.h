// The ledger, `.agent/ledger.db`: an index over runs, their steps and their usage, so that a
// question about a million runs is answered in a millisecond. The files are the truth; it is
// rebuilt from them when it is lost. It owns one SQLite connection, opened at the first use, and
// changes nothing of SQLite for the rest of the process. One thread; any number of processes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/artifact/ledger/rows.h"
#include "host/base/result.h"

namespace moonlet {

class LedgerDb;

/// Empty fields do not filter.
struct RunFilter {
  std::string task;
  std::string preset;
  std::string verdict;
  std::string status;
  std::string parent;  ///< the run it replays or belongs to
};

struct UsageFilter {
  std::string run;
  std::string preset;  ///< the preset of the run
  std::string runner;
  std::string model;
  std::string since_day;  ///< "2026-11-01", included
  std::string until_day;  ///< included
};

enum class UsageBy { kAll, kDay, kRunner, kModel, kRun, kPreset };

class Ledger {
 public:
  /// `agent` is the `.agent` folder; borrowed, outlives this. Opens nothing yet: every method below
  /// does at its first call, and makes a missing file. Errors: kFailed when it is
  /// damaged, foreign or of a newer version, and kDenied on a read-only file system; the hint says
  /// what to do.
  explicit Ledger(const Dir& agent);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// False when there is no ledger yet, or it was lost: then it is to be rebuilt.
  bool present() const;
  /// How long a call waits for other processes before it fails with kTimeout; 30 seconds at first.
  void set_patience(std::int64_t ms) { patience_ms_ = ms; }

  // --- writing: each call is one transaction, or a part of together()'s. A row takes the place of
  // the one with the same id.

  Result<void> put_run(const LedgerRun& run);
  /// A run with all of its steps and their usage: others of it that were there are gone.
  Result<void> put_record(const LedgerRecord& record);
  Result<void> remove_run(std::string_view id);
  /// Runs `fn` as one transaction: an error undoes all of its writes.
  Result<void> together(const std::function<Result<void>()>& fn);

  /// Empties the ledger and lets `fill` write all of it again, in one transaction; others wait. A
  /// damaged, foreign or newer ledger is kept as `ledger.db.damaged-<time>`, and a new one begun.
  Result<void> rebuild(const std::function<Result<void>()>& fill);

  // --- reading. No such row is kInvalid; lists are empty.

  /// Newest first, at most `limit`; those before the run `before` (for the next page), if given.
  Result<std::vector<LedgerRun>> list_runs(const RunFilter& filter, std::size_t limit,
                                           std::string_view before = {});
  Result<LedgerRun> get_run(std::string_view id);
  Result<LedgerRecord> get_record(std::string_view id);
  /// The numbers of the runs after number `after`, ascending.
  Result<std::vector<std::uint64_t>> run_numbers(std::uint64_t after);
  Result<std::vector<LedgerStep>> steps_of(std::string_view run);
  Result<std::vector<LedgerUsage>> list_usage(const UsageFilter& filter, std::size_t limit);
  /// Sums over the runs in the ledger; cassette playback counts only when the filter names that
  /// runner.
  Result<std::vector<LedgerTotals>> usage_totals(const UsageFilter& filter, UsageBy by);
  /// Steps and usage of no run, which no rebuild would write, as "usage of R-077"; 20 of each at
  /// most.
  Result<std::vector<std::string>> strays();
  // --- the comparison with the files: how far it has come

  /// Every run up to this number that is on the disk is in the ledger; 0 when unknown.
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
