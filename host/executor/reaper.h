// The executor consists of two processes, a reaper and a worker. If either is killed with -9, the
// other ends all remaining processes. The reaper forwards signals to the worker, and ends the
// orphans of a killed worker. The worker does all the work, and stops if the reaper has ended.
// Outside Linux, there is no subreaper, so a command survives if its worker is killed.
#pragma once

#include <sys/types.h>

namespace moonlet::executor {

struct Worker {
  int stop_fd;   ///< becomes readable when the work must end
  pid_t reaper;  ///< the process that the caller started
};

/// Forks; call it before the process has a thread or an open file. Returns in the worker, which
/// leads a new session. The reaper does not return; it exits with the worker's status.
Worker begin_worker(int argc, char** argv);

}  // namespace moonlet::executor
