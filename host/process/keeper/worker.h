// The worker is the half of the keeper that owns the children. Single-threaded.
// Serves one host at a time over a socket, and commands over keeper.sock.
// Passes children to the Supervisor, and writes the log before it answers.
// The worker outlives its host as long as any child that may outlive the host.
#pragma once

#include <optional>
#include <string>

#include "host/process/keeper/live_entry.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

struct WorkerSetup {
  int run_dir_fd = -1;
  int output_dir_fd = -1;
  int host_fd = -1;   ///< the socket to the host; owned
  int log_fd = -1;    ///< from open_keeper_log(), locked
  int guard_fd = -1;  ///< a pipe that closes when the guard has ended
  KeeperRecord record;
  std::optional<LiveEntry> entry;  ///< the keeper's unpublished entry in the index of live keepers
  std::string label;               ///< the run's name in the index of live keepers
  std::string outer_mark;
};

int run_worker(WorkerSetup setup);

}  // namespace moonlet
