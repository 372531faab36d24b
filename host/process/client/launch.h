// Starting the keeper's process: its command line, its few descriptors, its small environment. The
// caller owns what comes back and reaps the process. Any thread.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/client/keeper.h"

namespace moonlet {

struct LaunchedKeeper {
  Fd socket;        ///< to its worker
  pid_t guard = 0;  ///< a child of ours
};

/// `options.output_dir_fd` must be set. A keeper that cannot work reports so itself, later.
Result<LaunchedKeeper> launch_keeper(const KeeperOptions& options);

/// Takes charge of a guard that runs on after its host has left it, so that it does not stay a
/// zombie of a program that embeds the host.
void leave_guard(pid_t guard);
/// Reaps the left guards that have ended; every start and every end of a keeper does so. Returns
/// the number of those that still run.
std::size_t reap_left_guards();

}  // namespace moonlet
