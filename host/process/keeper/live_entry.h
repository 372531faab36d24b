// LiveEntry is a keeper's entry in the index of live keepers in the user's state folder.
// With its entry, a run or session can be found and ended even if its own folder was removed.
// An entry is a folder with a keeper.sock and a keeper.log, so commands use it like a run's folder.
// An entry is live while a keeper's process holds the lock of the entry's keeper.log.
// LiveEntry owns its descriptors. Only the keeper process uses this class.
#pragma once

#include <string>
#include <string_view>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

class LiveEntry {
 public:
  /// Makes a hidden entry in the index's folder. Borrows `live_dir_fd`.
  static Result<LiveEntry> make(int live_dir_fd, const std::string& token);

  /// Publishes the entry with the keeper's record and a link to the absolute path `run_dir`.
  Result<void> publish(KeeperRecord record, const std::string& run_dir);
  /// Updates the link after the run's folder was moved.
  void follow(const std::string& run_dir);
  /// Adds a record to the entry's keeper.log. Drops a record that cannot be written.
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
