// RunRegistry handles the runs that other processes drive, or that no process drives.
// RunRegistry also reads the user's index of live keepers. Changing a run needs that run's lock.
// Blocks on the disk or a keeper, but never on a lock. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/run/directory.h"
#include "host/artifact/run/home.h"
#include "host/base/loop.h"
#include "host/base/operation.h"
#include "host/base/result.h"
#include "host/process/client/live_index.h"
#include "host/process/client/sweep.h"

namespace moonlet {

struct SweptRun {
  std::string id;
  int killed = 0;  ///< the number of killed processes
};

struct LiveRunProcess {
  std::string run;
  LiveProcess process;
};

struct Amendment {
  std::string body;             ///< the journal record, a JSON object on one line
  std::string_view was;         ///< the expected SHA-256 of run.json; not checked if empty
  std::string_view path, text;  ///< a file to write below `.agent`; none if `path` is empty
};

struct Amended {
  bool done = false;                ///< false if run.json has changed or a process drives the run
  std::optional<Error> unrecorded;  ///< why the record is not in the journal
};

/// Ends the orphans in all runs of a home, one run after the other, from the loop.
/// A killed host may keep its lock for some seconds, so the sweep retries.
/// Borrows the home. Loop thread only.
class Sweep final : public Operation {
 public:
  Sweep(Loop& loop, Home& home);
  /// Returns the runs whose orphans were ended. Call it after the sweep has completed.
  const std::vector<SweptRun>& swept() const { return swept_; }

 private:
  void go_on();
  void sweep_locked(const std::string& id, Result<RunLock> lock);
  void start_cancel() override;

  Loop& loop_;
  Home& home_;
  std::vector<std::string> ids_;  // runs that are still to be swept, in reverse order
  std::shared_ptr<LockWait> wait_;
  std::vector<SweptRun> swept_;
};

class RunRegistry {
 public:
  explicit RunRegistry(Home& home) : home_(home) {}

  /// Opens the run `id`. Fails with kInvalid if the run does not exist.
  Result<RunDir> open(std::string_view id) const;
  /// Returns the pid of the run's driver; 0 without a driver, 1 if unknown.
  std::int64_t holder(std::string_view id) const;
  /// Returns the live processes of all steps of unfinished runs.
  std::vector<LiveRunProcess> live() const;

  /// Ends the orphans of dead hosts and marks their runs as finished.
  /// Skips a driven run, and a run whose keeper still answers, because that run can be resumed.
  std::shared_ptr<Sweep> sweep(Loop& loop) const;

  /// Takes the lock of a run for end_orphans() or amend().
  Result<std::shared_ptr<LockWait>> lock(Loop& loop, std::string_view id) const;
  /// Ends a run's children and keeper. `lock` is the run's lock. Waits at most ten seconds.
  Result<void> end_orphans(std::string_view id, const RunLock& lock) const;
  /// Appends the amendment's `body` to the journal and writes its `text` to `path`.
  /// `lock` is the run's lock. If the journal is damaged or cannot hold the record, writes only the
  /// file and sets `unrecorded`.
  Result<Amended> amend(Loop& loop, std::string_view id, const RunLock& lock,
                        Amendment amendment) const;

 private:
  /// Opens `.agent`. Fails with kInvalid if the folder does not exist.
  Result<const Dir*> agent() const;

  Home& home_;
};

}  // namespace moonlet
