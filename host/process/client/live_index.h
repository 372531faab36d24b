// LiveIndex is the index of live keepers in the user's state folder: the runs and sessions that run
// now, wherever their folders are. By it one whose folder was removed is found and ended. Keepers
// write their entries themselves; a reader drops those whose keeper has ended. Reads other keepers'
// folders, and signals no process that is not on their record. Blocking, any thread.
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

/// A keeper that is at work.
struct LiveKeeper {
  KeeperRecord record;
  std::string run_dir;   ///< the absolute path of the folder of its run or session
  bool removed = false;  ///< that folder is not there any more
  std::int64_t age_ms = 0;
  /// The entry. Functions that ask the keeper of a run's folder take it in place of that folder.
  Dir dir;
};

class LiveIndex {
 public:
  /// `state_dir` is the user's state folder of moonlet; empty where the user has none.
  explicit LiveIndex(std::string state_dir);

  /// The folder of the index, made where it is missing; for KeeperOptions::live_dir_fd. kInvalid
  /// where the user has no state folder.
  Result<Dir> make() const;
  /// The keepers of this machine, oldest first. Drops the entries of dead ones, and ends what they
  /// left where the folder of their run is gone.
  std::vector<LiveKeeper> list() const;
  /// The keeper of a folder that was removed, by the path that the folder had.
  std::optional<LiveKeeper> find_removed(std::string_view run_dir) const;
  /// The greatest number of an id LETTER-n among live keepers whose folders are right in `folder`;
  /// 0 without one. Such an id is taken, also when its folder was removed.
  std::uint64_t highest(const std::string& folder, char letter) const;

 private:
  std::string path_;
};

/// list_live() with the names of the steps, as the keeper knows them.
std::vector<LiveProcess> list_live(const LiveKeeper& keeper);
/// Ends the children of a keeper and the keeper, and waits for that: kTimeout after `grace_ms` and
/// ten seconds.
Result<void> end_keeper(const LiveKeeper& keeper, std::int64_t grace_ms);

}  // namespace moonlet
