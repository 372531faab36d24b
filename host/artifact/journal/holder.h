// Holder names the process that has a lock. A later process can check the holder's state.
// A pid is not enough, because the system reuses pids, and each container counts its own.
// Holder only reads process states. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace moonlet {

struct Holder {
  std::int64_t pid = 0;
  std::uint64_t born = 0;  ///< start time in the kernel's own units; 0 where unknown
  std::string place;       ///< 16 hex digits that identify the boot and the pid namespace of `pid`
  std::uint64_t generation = 0;
  bool passing = false;  ///< the holder does not drive the run and releases the lock soon
};

enum class HolderState {
  kRuns,       ///< the process runs, or its state is uncertain
  kStopped,    ///< the process is stopped by a signal or debugger, but can continue at any time
  kEnding,     ///< killed and about to end, which takes time on a busy machine
  kGone,       ///< the process has ended
  kElsewhere,  ///< the process belongs to another machine, container or boot; its state is unknown
};

/// Returns a Holder for the calling process, with generation 0.
Holder this_process();
/// Returns kStopped, kEnding or kGone only if that is certain, otherwise kRuns or kElsewhere.
HolderState state_of(const Holder& holder);

}  // namespace moonlet
