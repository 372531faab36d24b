// Holder names the process that holds a lock, so that a later process can judge whether it still
// runs, is stopped or is gone. A pid is not enough: it is reused, and means another process in
// another container or on another machine. Reads only. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace moonlet {

struct Holder {
  std::int64_t pid = 0;
  std::uint64_t born = 0;  ///< start time in the kernel's own units; 0 where unknown
  std::string place;       ///< 16 hex digits: the boot and the pid namespace in which `pid` counts
  std::uint64_t generation = 0;
  bool passing = false;  ///< it does not drive the run, and soon releases the lock
};

enum class HolderState {
  kRuns,       ///< also in case of doubt
  kStopped,    ///< by a signal or a debugger; it continues where it was stopped
  kEnding,     ///< it was killed and is about to end; that may take time on a busy machine
  kGone,       ///< the process has ended
  kElsewhere,  ///< another machine or container, or an earlier boot: its state cannot be known
};

/// The calling process; the generation is left at 0.
Holder this_process();
/// Returns kStopped, kEnding or kGone only if that was certain when it read the process state;
/// otherwise kRuns or kElsewhere.
HolderState state_of(const Holder& holder);

}  // namespace moonlet
