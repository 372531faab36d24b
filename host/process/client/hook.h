// A hook is a user's program that moonlet starts at an event, without a keeper.
// After its time limit, the hook's process group gets SIGTERM, then SIGKILL. Blocking.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

struct HookRequest {
  std::vector<std::string> argv;         ///< argv[0] is the program's path
  std::vector<std::string> environment;  ///< the whole environment, as "NAME=value"
  std::int64_t wall_ms = 10'000;
  std::int64_t grace_ms = 3'000;            ///< time between SIGTERM and SIGKILL
  const std::atomic<bool>* stop = nullptr;  ///< set to true to end the hook
};

struct HookEnd {
  bool late = false;  ///< the hook exceeded its time or was stopped
  int code = -1;      ///< exit status, -1 unless the process itself exited
  int signal = 0;     ///< the signal that ended the hook, else 0
};

/// Runs the hook to its end without input. Drops its output; stderr is the caller's.
Result<HookEnd> run_hook(HookRequest request);

}  // namespace moonlet
