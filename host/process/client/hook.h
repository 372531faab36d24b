// A hook is a program of the user that moonlet starts at an event, with no keeper at hand. It has a
// limited time: then its process group is asked to end, and killed. Blocking, any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

struct HookRequest {
  std::vector<std::string> argv;         ///< argv[0] is the program's path
  std::vector<std::string> environment;  ///< complete, NAME=value
  std::int64_t wall_ms = 10'000;
  std::int64_t grace_ms = 3'000;            ///< from TERM to KILL
  const std::atomic<bool>* stop = nullptr;  ///< when it becomes true the hook is ended at once
};

struct HookEnd {
  bool late = false;  ///< its time was over, or it was stopped
  int code = -1;      ///< exit status, -1 unless the process itself exited
  int signal = 0;     ///< the signal that ended it, else 0
};

/// Runs the program to its end. Its input and its output are empty; its messages go where those of
/// the caller go.
Result<HookEnd> run_hook(HookRequest request);

}  // namespace moonlet
