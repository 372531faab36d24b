// The sweep ends processes that a killed keeper may have left. It finds them by keeper.log and by
// the processes' own marks. It touches only processes whose start time or mark says that they are
// the run's; a pid is never enough. Blocking, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/base/result.h"
#include "host/process/child/child.h"
#include "host/process/child/tree.h"

namespace moonlet {

struct LiveProcess {
  ProcessInfo info;
  ChildRecord record;  ///< the child that it belongs to; number 0 when only the run is known
  std::int64_t age_ms = 0;
  bool main = false;  ///< the child's own process, not one that it started
};

/// Every living process of the run's steps, main processes first in the order of their steps. Also
/// beside a keeper that lives. The keeper's own two processes are not among them.
Result<std::vector<LiveProcess>> list_live(int run_dir_fd);

/// True while a keeper (or a sweep) is at work in the directory. A keeper whose host has died may
/// work for a long time. Call Keeper::adopt() to continue its run.
bool keeper_is_alive(int run_dir_fd);

/// Has the two processes of the newest keeper go on, where somebody has stopped them: a stopped one
/// answers nobody. To others it means nothing.
void continue_keeper(int run_dir_fd);

struct Swept {
  std::vector<LiveProcess> killed;
  int lost = 0;  ///< steps that were recorded as lost
  int left = 0;  ///< processes that could not be killed
};

/// Kills what a dead keeper left, and records it: `swept` for each process, `lost` for each step
/// that has a start and no exit. Nothing to do is fine, and so is a second time. A living keeper
/// and its children are never touched, also when no host is there any more: kDenied when one still
/// works there after `wait_ms`. The holder of the run's lock decides what becomes of it: to go
/// on, Keeper::adopt(), and sweep() only where that gives null; to end the run, keeper_shutdown()
/// first.
Result<Swept> sweep(int run_dir_fd, std::int64_t wait_ms = 5000);

}  // namespace moonlet
