// Runs manages the folders `runs/R-007/`, and the marks `live/R-007` of unfinished runs.
// Ids are unique even if several processes make runs.
// Each thread needs its own Runs object; processes may share the folder.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/artifact/journal/lock.h"
#include "host/base/result.h"

namespace moonlet {

class RunDir {
 public:
  const std::string& id() const { return id_; }
  const Dir& dir() const { return dir_; }

  /// See RunLock::try_take().
  LockTry try_lock(TakeOver take_over = TakeOver::kNo, Hold hold = Hold::kDrive) const {
    return RunLock::try_take(dir_, id_, take_over, hold);
  }

 private:
  friend class Runs;
  RunDir(std::string id, Dir dir) : id_(std::move(id)), dir_(std::move(dir)) {}
  std::string id_;
  Dir dir_;
};

class Runs {
 public:
  /// Borrows `agent`, the `.agent` folder, which must outlive Runs.
  explicit Runs(const Dir& agent) : agent_(agent) {}

  /// Makes the next run's folder with a number above `taken`, and durably marks the run live.
  /// Calls `before_live` before other processes can see the run.
  /// If `before_live` fails, the folder is removed.
  Result<RunDir> create(std::uint64_t taken = 0,
                        const std::function<Result<void>(const RunDir&)>& before_live = {}) const;
  /// Opens an existing run. Fails with kInvalid if the id is malformed or unknown.
  Result<RunDir> open(std::string_view id) const;
  /// Returns the newest ids, at most `limit`.
  Result<std::vector<std::string>> list(std::size_t limit) const;

  /// Returns the ids of live runs, oldest first: running, parked, or orphaned by a killed host.
  Result<std::vector<std::string>> live() const;
  /// mark_live() marks a resumed run as live, mark_finished() removes the mark.
  /// Calling either again has no effect.
  Result<void> mark_live(std::string_view id) const;
  Result<void> mark_finished(std::string_view id) const;

 private:
  Result<std::uint64_t> highest() const;
  Result<std::uint64_t> start() const;
  void write_hint(std::string_view id) const;

  const Dir& agent_;
};

}  // namespace moonlet
