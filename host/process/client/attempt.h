// Reads the state of one attempt of a step from keeper.log: it never ran, it runs, or how it ended.
// A host that resumes the run of a dead host needs this state: it must neither run a paid attempt
// twice nor lose its result. Plain functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

/// Its number is 0 if the log has no intent record.
struct KeptAttempt : ChildRecord {
  enum class State {
    kNotStarted,  ///< its program never ran, and will not
    kRunning,     ///< under a live keeper
    kExited,      ///< `exit` holds, without captured text
    kLost,        ///< it may have run; its end is unknown
  };

  State state = State::kNotStarted;
  std::string token;  ///< the token of its keeper
  /// kLost: `why` is kLost, with the known facts and an error that says so. kNotStarted: the error,
  /// where a start was tried.
  ChildExit exit;
};

/// The newest run of `attempt` of `step`, else the newest that did not start. `alive` says that
/// the last of the keepers is at work, and was found out before its log was read; see
/// keeper_is_alive(). `boot_id` is the present one.
KeptAttempt find_attempt(const std::vector<LoggedKeeper>& keepers, std::string_view step,
                         std::string_view attempt, bool alive, std::string_view boot_id);

/// The same for the keepers of a directory; reads the whole log.
Result<KeptAttempt> find_attempt(int run_dir_fd, std::string_view step, std::string_view attempt);

}  // namespace moonlet
