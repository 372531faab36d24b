// LiveIndex lists the live keepers of this user, in the user's state folder: all runs and sessions
// that run now, wherever their folders are. So a run can be found and ended even if its folder was
// removed. Keepers write their own entries; readers remove those of dead keepers. It signals only
// processes that a keeper has recorded. Blocking, any thread.
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

/// A live keeper.
struct LiveKeeper {
  KeeperRecord record;
  std::string run_dir;   ///< the absolute path of the folder of its run or session
  bool removed = false;  ///< that folder does not exist any more
  std::int64_t age_ms = 0;
  /// The folder of the entry. Functions that contact a run's keeper accept it instead of the run's
  /// folder.
  Dir dir;
};

class LiveIndex {
 public:
  /// `state_dir` is the user's state folder of moonlet; empty where the user has none.
  explicit LiveIndex(std::string state_dir);

  /// Opens the folder of the index, or makes it; for KeeperOptions::live_dir_fd. kInvalid if the
  /// user has no state folder.
  Result<Dir> make() const;
  /// The keepers of this machine, oldest first. Removes the entries of dead keepers, and kills
  /// their children if the run's folder was removed.
  std::vector<LiveKeeper> list() const;
  /// The keeper of a folder that was removed, by the path that the folder had.
  std::optional<LiveKeeper> find_removed(std::string_view run_dir) const;
  /// The highest n among the ids LETTER-n of live keepers whose run folders lie directly in
  /// `folder`; 0 if there is none. Such an id stays taken even if its folder was removed.
  std::uint64_t highest(const std::string& folder, char letter) const;

 private:
  std::string path_;
};

/// Like list_live(), but the keeper names the steps.
std::vector<LiveProcess> list_live(const LiveKeeper& keeper);
/// Ends a keeper and its children, and waits for their end. kTimeout after `grace_ms` plus ten
/// seconds.
Result<void> end_keeper(const LiveKeeper& keeper, std::int64_t grace_ms);

}  // namespace moonlet
