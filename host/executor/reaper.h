// The executor is two processes, so that kill -9 of either leaves nothing running. The one that was
// started, the reaper, passes signals on to the worker and ends what a killed worker leaves. The
// worker does all the work and ends it, as after a signal, when its reaper is gone. Where orphans
// do not come to the reaper (no subreaper: any system but Linux), a killed worker's command stays.
#pragma once

#include <sys/types.h>

namespace moonlet::executor {

struct Worker {
  int stop_fd;   ///< readable once the work must end
  pid_t reaper;  ///< the process that the caller started
};

/// Forks. Returns in the worker, which leads a session of its own; the reaper exits as the worker
/// does. For a process with one thread, before it opens anything.
Worker begin_worker(int argc, char** argv);

}  // namespace moonlet::executor
