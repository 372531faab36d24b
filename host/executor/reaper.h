// The executor is two processes, so that kill -9 of either leaves no process running.
// The reaper passes signals to the worker and ends a killed worker's orphans.
// The worker does all the work, and ends it if the reaper is gone.
// Without a subreaper (outside Linux), a killed worker's command survives.
#pragma once

#include <sys/types.h>

namespace moonlet::executor {

struct Worker {
  int stop_fd;   ///< readable once the work must end
  pid_t reaper;  ///< the process that the caller started
};

/// Forks before any thread or file exists. Returns in the worker, which leads a new session.
/// The reaper exits with the worker's status.
Worker begin_worker(int argc, char** argv);

}  // namespace moonlet::executor
