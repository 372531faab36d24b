// LiveIndex lists the user's live keepers of all runs and sessions, wherever their folders are.
// A run can be found and ended even if its folder was removed.
// Keepers write their own entries; readers remove those of dead keepers.
// Only processes that a keeper has recorded are signalled. Blocking, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"
#include "host/process/client/sweep.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

struct LiveKeeper {
  KeeperRecord record;
  std::string run_dir;   ///< the absolute path of the run's or session's folder
  bool removed = false;  ///< the folder `run_dir` does not exist any more
  std::int64_t age_ms = 0;
  /// Requests to the keeper may use `dir`, the entry's folder, instead of the run's folder.
  Dir dir;
};

class LiveIndex {
 public:
  /// `state_dir` is the user's state folder of moonlet; empty without one.
  explicit LiveIndex(std::string state_dir);

  /// Opens or makes the folder of the index, for KeeperOptions::live_dir_fd.
  /// Fails with kInvalid if the user has no state folder.
  Result<Dir> make() const;
  /// Returns the keepers of this machine, oldest first. Removes the entries of dead keepers.
  /// Kills a dead keeper's children if the run's folder was removed.
  std::vector<LiveKeeper> list() const;
  /// Finds the keeper of a folder that was removed. `run_dir` is the folder's former path.
  std::optional<LiveKeeper> find_removed(std::string_view run_dir) const;
  /// Returns the highest number in an id LETTER-number of the live keepers in `folder`; 0 for none.
  /// An id stays taken even if its folder was removed.
  std::uint64_t highest(const std::string& folder, char letter) const;

 private:
  std::string path_;
};

/// Like list_live() in sweep.h, but gets the names of the steps from the keeper.
std::vector<LiveProcess> list_live(const LiveKeeper& keeper);
/// Ends a keeper and its children, and waits for their end.
/// Fails with kTimeout after `grace_ms` plus ten seconds.
Result<void> end_keeper(const LiveKeeper& keeper, std::int64_t grace_ms);

}  // namespace moonlet
