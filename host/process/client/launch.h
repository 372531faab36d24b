// Starts the keeper's process with its command line, few descriptors and small environment.
// The caller owns the result and reaps the guard. Any thread.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/client/keeper.h"

namespace moonlet {

struct LaunchedKeeper {
  Fd socket;        ///< the connection to the worker
  pid_t guard = 0;  ///< the pid of the guard, a child of this process
};

/// Starts a keeper, which reports its own failures later. `options.output_dir_fd` must be set.
Result<LaunchedKeeper> launch_keeper(const KeeperOptions& options);

/// Registers the guard of a keeper that this host has left, so that it is reaped at its end.
void leave_guard(pid_t guard);
/// Reaps registered guards that have ended. Returns the number of running ones.
std::size_t reap_left_guards();

}  // namespace moonlet
