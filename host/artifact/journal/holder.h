// Holder names the process that has a lock. A later process can check the holder's state.
// A pid is not enough, because the system reuses pids, and containers share pids.
// Holder only reads process states. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace moonlet {

struct Holder {
  std::int64_t pid = 0;
  std::uint64_t born = 0;  ///< start time in the kernel's own units; 0 where unknown
  std::string place;       ///< 16 hex digits: the boot and the pid namespace in which `pid` counts
  std::uint64_t generation = 0;
  bool passing = false;  ///< the holder does not drive the run and soon releases the lock
};

enum class HolderState {
  kRuns,       ///< also in case of doubt
  kStopped,    ///< by a signal or a debugger; may continue any time
  kEnding,     ///< killed and about to end, which takes time on a busy machine
  kGone,       ///< the process has ended
  kElsewhere,  ///< another machine, container or boot: the state is unknowable
};

/// Returns the calling process, with generation 0.
Holder this_process();
/// Returns kStopped, kEnding or kGone only for a certain state, otherwise kRuns or kElsewhere.
HolderState state_of(const Holder& holder);

}  // namespace moonlet
