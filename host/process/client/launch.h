// Starting the keeper's process: its command line, its few descriptors, its small environment. The
// caller owns what comes back and reaps the process. Any thread.
#pragma once

#include <sys/types.h>

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

}  // namespace moonlet
