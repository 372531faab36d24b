// The lock of a run: its driver, and the generation. It owns the lock file's descriptor and an
// flock on it; it refuses a second holder while the first one runs. A stopped holder may be taken
// over; it finds out by check() and must then stop writing. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/loop.h"
#include "host/base/operation.h"
#include "host/base/result.h"

namespace moonlet {

struct LockTry;

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
  /// Tries once to take the lock of the run in `run_dir`, named `id` in messages. kFailed, with the
  /// holder's pid in the message, when it is held. Among many takers at most one succeeds, and a
  /// killed one leaves a lock that can be taken. Never waits: LockWait does.
  static LockTry try_take(const Dir& run_dir, std::string_view id, TakeOver take_over,
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

  std::shared_ptr<const Held> held_;
};

struct LockTry {
  Result<RunLock> lock;
  /// How long the present holder may need to release the lock; 0 if waiting is pointless.
  std::int64_t patience_ms = 0;
};

/// Takes a lock from the loop: tries again for as long as the holder is about to release it, which
/// is seconds at most. A cancelled one ends without the lock. The run's folder is borrowed only by
/// the constructor. Loop thread only.
class LockWait final : public Operation {
 public:
  LockWait(Loop& loop, const Dir& run_dir, std::string_view id, TakeOver take_over,
           Hold hold = Hold::kDrive);
  ~LockWait() override;

  /// The lock, or why it could not be had; once it is done.
  Result<RunLock>& lock() { return lock_; }

 private:
  void try_now();
  void finish(Result<RunLock> lock);
  void start_cancel() override;

  Loop& loop_;
  Result<Dir> run_dir_;
  std::string id_;
  TakeOver take_over_;
  Hold hold_;
  std::int64_t began_ms_;
  std::optional<Loop::TimerId> retry_;
  Result<RunLock> lock_ = Error{};
};

}  // namespace moonlet
