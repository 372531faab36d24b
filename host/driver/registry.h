// RunRegistry: the runs of a home that another process drives, or that no process drives any more,
// and the user's index of live keepers. It never touches a run that another process drives: what
// changes a run takes its lock, see lock(). Blocks as long as the disk or a keeper takes, but never
// waits for a lock. Loop thread only.
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
  int killed = 0;  ///< how many of its processes were ended
};

struct LiveRunProcess {
  std::string run;
  LiveProcess process;
};

struct Amendment {
  std::string body;             ///< the record, a JSON object on one line
  std::string_view was;         ///< the hash of the run.json that it is about; empty: any
  std::string_view path, text;  ///< a file of `.agent` that is written with it; no path: none
};

struct Amended {
  bool done = false;                ///< false: run.json was rewritten since, or the run is driven
  std::optional<Error> unrecorded;  ///< why the record is not in the journal
};

/// Sweeps the runs of a home one after the other, from the loop: a host that was just killed may
/// hold its lock for some seconds. The home is borrowed. Loop thread only.
class Sweep final : public Operation {
 public:
  Sweep(Loop& loop, Home& home);
  /// The runs that were swept, once it is done.
  const std::vector<SweptRun>& swept() const { return swept_; }

 private:
  void go_on();
  void sweep_locked(const std::string& id, Result<RunLock> lock);
  void start_cancel() override;

  Loop& loop_;
  Home& home_;
  std::vector<std::string> ids_;  // still to be swept, the next one last
  std::shared_ptr<LockWait> wait_;
  std::vector<SweptRun> swept_;
};

class RunRegistry {
 public:
  /// `home` is borrowed.
  explicit RunRegistry(Home& home) : home_(home) {}

  /// The run `id`; kInvalid when there is none.
  Result<RunDir> open(std::string_view id) const;
  /// The pid of the process that drives a run; 0 without one, 1 when it is unknown.
  std::int64_t holder(std::string_view id) const;
  /// Every living process of the steps of unfinished runs.
  std::vector<LiveRunProcess> live() const;

  /// Ends what dead hosts left behind and marks their runs as finished. Skips a run that is driven,
  /// and one whose keeper still answers: that run waits to be resumed.
  std::shared_ptr<Sweep> sweep(Loop& loop) const;

  /// Takes the lock of a run for a moment, for the functions below.
  Result<std::shared_ptr<LockWait>> lock(Loop& loop, std::string_view id) const;
  /// Ends the children of a run and its keeper, and waits up to ten seconds for it. `lock` is held
  /// until this returns.
  Result<void> end_orphans(std::string_view id, const RunLock& lock) const;
  /// Adds a record to the journal and writes the file that belongs to it, all under one lock. If
  /// the journal is damaged (kInvalid, kLimit), the file is written nevertheless and `unrecorded`
  /// says so.
  Result<Amended> amend(Loop& loop, std::string_view id, const RunLock& lock,
                        Amendment amendment) const;

 private:
  /// `.agent`; kInvalid when there is none.
  Result<const Dir*> agent() const;

  Home& home_;
};

}  // namespace moonlet
