// The worker: the half of the keeper that does the work. Speaks with the host over the inherited
// socket and with commands over keeper.sock, hands children to the Supervisor, and commits the log
// before it tells. Ends when the host or the guard is gone, or when it was asked to and nothing is
// left. One thread, in the keeper process.
#pragma once

#include <string>

#include "host/process/keeper_log.h"

namespace moonlet {

struct WorkerSetup {
  int run_dir_fd = -1;
  int output_dir_fd = -1;
  int host_fd = -1;   ///< the socket to the host; taken over
  int log_fd = -1;    ///< of open_keeper_log(), locked
  int guard_fd = -1;  ///< reads end of file when the guard is gone
  KeeperRecord record;
  std::string outer_mark;
};

/// Returns the exit status of the worker's process.
int run_worker(WorkerSetup setup);

}  // namespace moonlet
