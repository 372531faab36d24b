// LiveEntry is a keeper's entry in the index of live keepers in the user's state folder. By it a
// run or session is found and ended when its own folder was removed. The entry is a folder with a
// keeper.sock and a keeper.log of its own, so that commands use it as they use the folder of a run.
// It counts as live while a process of the keeper holds the lock of that log; guard and worker
// share it by the fork. Owns the descriptors. Keeper process.
#pragma once

#include <string>
#include <string_view>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

class LiveEntry {
 public:
  /// Makes the entry in the folder of the index. `live_dir_fd` is borrowed. No reader sees it yet.
  static Result<LiveEntry> make(int live_dir_fd, const std::string& token);

  /// Shows it to readers, with the keeper's record and a link to `run_dir`, an absolute path.
  Result<void> publish(KeeperRecord record, const std::string& run_dir);
  /// The folder of the run has another path by now.
  void follow(const std::string& run_dir);
  /// Adds a record of keeper.log. One that cannot be written is dropped.
  void add(std::string_view line);
  void remove();

  int dir_fd() const { return dir_.get(); }
  int log_fd() const { return log_.get(); }

 private:
  LiveEntry() = default;
  int live_dir_fd_ = -1;
  std::string name_, run_dir_;
  Fd dir_, log_;
};

}  // namespace moonlet
