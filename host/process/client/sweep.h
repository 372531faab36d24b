// The sweep ends the processes that a killed keeper left, which keeper.log lists.
// A start time or a mark in the environment must prove that a process belongs to the run.
// A pid alone proves nothing, because the kernel reuses pids. Blocking, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "host/base/result.h"
#include "host/process/child/child.h"
#include "host/process/child/tree.h"

namespace moonlet {

struct LiveProcess {
  ProcessInfo info;
  ChildRecord record;  ///< the child whose tree has the process; `number` is 0 if unknown
  std::int64_t age_ms = 0;
  bool main = false;  ///< the child's main process, not a descendant
};

/// Lists every living process of the run's steps. Main processes come first, in the order of their
/// steps. The keeper may be running. Omits the keeper's own two processes.
Result<std::vector<LiveProcess>> list_live(int run_dir_fd);

/// Returns true while a keeper or a sweep works in the directory.
/// A keeper may outlive its host for a long time. Keeper::adopt() then continues the run.
bool keeper_is_alive(int run_dir_fd);

/// Sends SIGCONT to both processes of the newest keeper, because a stopped process cannot answer.
void continue_keeper(int run_dir_fd);

struct Swept {
  std::vector<LiveProcess> killed;
  int lost = 0;  ///< steps that were recorded as lost
  int left = 0;  ///< processes that could not be killed
};

/// Kills the processes of a dead keeper. Idempotent.
/// Records `swept` for each process, and `lost` for each step with a start and no exit.
/// Fails with kDenied if a keeper still works after `wait_ms`; its children are never touched.
/// To resume a run, call Keeper::adopt() first, and sweep() only if adopt() returns null.
/// To end a run, call keeper_shutdown() first.
Result<Swept> sweep(int run_dir_fd, std::int64_t wait_ms = 5000);

}  // namespace moonlet
