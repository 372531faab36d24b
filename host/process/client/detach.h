// Leaving work to another process that outlives this one: it leads a session of its own, has no
// input, and answers with one line. It is reaped only where it is ended here. Blocking, any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

struct DetachRequest {
  std::vector<std::string> argv;            ///< argv[0] is the program's path
  std::vector<std::string> environment;     ///< complete, NAME=value
  std::int64_t patience_ms = 60'000;        ///< until it has answered
  std::size_t longest = 1 << 20;            ///< bytes of the answer
  const std::atomic<bool>* stop = nullptr;  ///< when it becomes true the answer is given up
};

/// Starts the program and returns the first line that it prints; empty when it ended without one.
/// It prints its messages where the caller does. kTimeout and kLimit when there is no answer within
/// the limits, kCancelled when it was stopped: the process has been asked to end (SIGTERM) then.
Result<std::string> start_detached(DetachRequest request);

}  // namespace moonlet
