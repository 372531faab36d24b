// Starts a background process that outlives this process, and returns its first line of output.
// The background process leads its own session and has no input. Blocking, any thread.
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
  std::vector<std::string> environment;     ///< the whole environment, as "NAME=value"
  std::int64_t patience_ms = 60'000;        ///< the longest time to wait for the answer
  std::size_t longest = 1 << 20;            ///< the greatest size of the answer in bytes
  const std::atomic<bool>* stop = nullptr;  ///< true: stop waiting
};

/// Starts the program and returns the first line of its output; "" if it printed none.
/// The background process shares the caller's stderr.
/// On kTimeout, kLimit or kCancelled the process was asked to end by SIGTERM.
Result<std::string> start_detached(DetachRequest request);

}  // namespace moonlet
