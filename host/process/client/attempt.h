// What keeper.log knows of one attempt of a step: whether it ever ran, runs, has ended and how. For
// a host that goes on after another one died, and must neither pay twice nor lose what was paid.
// Plain functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

struct KeptAttempt {
  enum class State {
    kNotStarted,  ///< its program never ran, and will not
    kRunning,     ///< under the keeper that is at work
    kExited,      ///< `exit` holds, but for captured text
    kLost,        ///< it may have run, and how it ended cannot be known
  };

  State state = State::kNotStarted;
  std::uint32_t number = 0;  ///< in the log of its keeper; 0: there is not even an intent
  std::string token;         ///< of that keeper
  pid_t pid = 0;
  std::int64_t started_ms = 0, deadline_ms = 0;  ///< since 1970; 0: unknown, none
  /// Of kLost: why kLost, what is known, and an error that says so. Of kNotStarted the error, where
  /// it was tried.
  ChildExit exit;
};

/// The newest run of `attempt` of `step`, else what stands in for it. `alive` says that the last of
/// the keepers is at work, and was found out before its log was read; see keeper_is_alive().
/// `boot_id` is the present one.
KeptAttempt find_attempt(const std::vector<LoggedKeeper>& keepers, std::string_view step,
                         std::string_view attempt, bool alive, std::string_view boot_id);

/// The same for the keepers of a directory; reads the whole log.
Result<KeptAttempt> find_attempt(int run_dir_fd, std::string_view step, std::string_view attempt);

}  // namespace moonlet
