// Manages the folders of runs: `runs/R-007/` with its lock, and `live/R-007` until the run has
// finished. Ids are unique even if several processes make runs. One thread per object; processes
// may share the folder.
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
  /// `agent` is the `.agent` folder; borrowed, outlives this.
  explicit Runs(const Dir& agent) : agent_(agent) {}

  /// Makes the next run's folder and marks it live, durably. Its number is greater than `taken`.
  /// `before_live` is called with the folder before other processes can see the run as live; if it
  /// returns an error, the run is removed.
  Result<RunDir> create(std::uint64_t taken = 0,
                        const std::function<Result<void>(const RunDir&)>& before_live = {}) const;
  /// An existing run; kInvalid when the id is malformed or there is none.
  Result<RunDir> open(std::string_view id) const;
  /// Ids, newest first, at most `limit`.
  Result<std::vector<std::string>> list(std::size_t limit) const;

  /// Ids of runs that are marked live, oldest first: running, parked, or left by a killed host.
  Result<std::vector<std::string>> live() const;
  /// Marks a run live again (resume), or finished. Both may be repeated.
  Result<void> mark_live(std::string_view id) const;
  Result<void> mark_finished(std::string_view id) const;

 private:
  Result<std::uint64_t> highest() const;
  Result<std::uint64_t> start() const;
  void write_hint(std::string_view id) const;

  const Dir& agent_;
};

}  // namespace moonlet
