// Reads the state of an attempt from keeper.log: never started, running, or ended.
// A host that resumes a dead host's run must neither repeat a paid attempt nor lose its result.
// The functions may run on any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

/// KeptAttempt is an attempt as logged. Its `number` is 0 if the log does not have the attempt.
struct KeptAttempt : ChildRecord {
  enum class State {
    kNotStarted,  ///< the program never ran and will not run
    kRunning,     ///< a live keeper runs the program
    kExited,      ///< the program has ended; `exit` has no captured text
    kLost,        ///< the program may have run; its end is unknown
  };

  State state = State::kNotStarted;
  std::string token;  ///< the keeper's token
  /// For kLost, `exit` has the known facts and an error. For kNotStarted, it has the start's error.
  ChildExit exit;
};

/// Returns the newest run of `attempt` of `step`, or its newest failed start.
/// `alive` is the result of keeper_is_alive(), which must be called before the log is read.
/// `boot_id` is the id of the current boot.
KeptAttempt find_attempt(const std::vector<LoggedKeeper>& keepers, std::string_view step,
                         std::string_view attempt, bool alive, std::string_view boot_id);

/// Like find_attempt() above, but reads the keepers from the log of the run's folder.
Result<KeptAttempt> find_attempt(int run_dir_fd, std::string_view step, std::string_view attempt);

}  // namespace moonlet
