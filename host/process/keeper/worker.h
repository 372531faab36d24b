// The worker: the half of the keeper that does the work. Speaks with one host at a time (the one
// that started it, over the inherited socket, then each that takes over) and with commands over
// keeper.sock. Hands children to the Supervisor, and commits the log before it answers. Outlives
// its host for as long as children that may do so. One thread, in the keeper process.
#pragma once

#include <optional>
#include <string>

#include "host/process/keeper/live_entry.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

struct WorkerSetup {
  int run_dir_fd = -1;
  int output_dir_fd = -1;
  int host_fd = -1;   ///< the socket to the host; taken over
  int log_fd = -1;    ///< from open_keeper_log(), locked
  int guard_fd = -1;  ///< reads end of file when the guard is gone
  KeeperRecord record;
  std::optional<LiveEntry> entry;  ///< in the index of live keepers; not yet published
  std::string label;               ///< for the entry
  std::string outer_mark;
};

/// Returns the exit status of the worker's process.
int run_worker(WorkerSetup setup);

}  // namespace moonlet
