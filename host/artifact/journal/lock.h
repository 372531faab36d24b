// The lock of a run: its driver, and the generation. It owns the lock file's descriptor and an
// flock on it; it refuses a second holder while the first one runs. A stopped holder may be taken
// over; it finds out by check() and must then stop writing. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

enum class TakeOver : bool {
  kNo,
  /// Also from a holder that is stopped, or that is gone while a process it forked keeps the lock.
  kStopped,
};

enum class Hold : bool {
  kDrive,
  /// For a look at a run without a driver, or an entry on its record: let go at once.
  kPass,
};

/// A handle: copies hold the same lock, which is released with the last of them, or when the
/// process dies. A child that was forked without exec holds it, too, until it closes the
/// descriptor.
class RunLock {
 public:
  /// Takes the lock of the run in `run_dir`, named `id` in messages. kFailed, with the holder's pid
  /// in the message, when it is held. Among many takers at most one succeeds; a killed one leaves a
  /// lock that can be taken. A taker that means to drive waits a second or two for a holder that
  /// only passes.
  static Result<RunLock> take(const Dir& run_dir, std::string_view id, TakeOver take_over,
                              Hold hold = Hold::kDrive);

  /// The pid of the process that has the lock of the run in `run_dir`; 0 when it is free, 1 when
  /// the holder is unknown.
  static std::int64_t holder(const Dir& run_dir);

  /// Grows by one at each take of this run's lock; a keeper refuses an older one.
  std::uint64_t generation() const { return held_->generation; }
  /// kDenied, with the new holder's pid, when another process has taken the run over. Work done
  /// before a successful check was done by the only holder.
  Result<void> check() const;

 private:
  struct Held {
    Dir dir;
    Fd fd;
    std::string id;
    std::uint64_t generation;
    std::uint64_t device, inode;
  };
  explicit RunLock(std::shared_ptr<const Held> held) : held_(std::move(held)) {}
  static Result<RunLock> try_take(const Dir& run_dir, std::string_view id, TakeOver take_over,
                                  Hold hold, bool& in_passing);

  std::shared_ptr<const Held> held_;
};

}  // namespace moonlet
