// RunLock is the lock of a run. Its generation increases each time it is acquired. Any thread.
// RunLock owns an flock. A second holder is refused while the first holder runs.
// The lock of a stopped process can be taken over: its check() then fails, and it must not write.
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
  /// Also takes the lock from a holder that is stopped. If the holder is dead, also takes the lock
  /// from a process that inherited the flock from it.
  kStopped,
};

enum class Hold : bool {
  kDrive,
  /// Holds the lock briefly, to read or amend a run that no process drives.
  kPass,
};

/// RunLock is a handle: the last copy, or the end of the process, releases the lock.
/// A forked child keeps the lock until exec or until it closes the descriptor.
class RunLock {
 public:
  /// Tries once to acquire the lock of the run in `run_dir`, without waiting. `id` appears in
  /// messages. Fails with kFailed and the holder's pid if the lock is taken.
  /// Of several processes, at most one succeeds. A process killed in this call leaves no lock.
  static LockTry try_take(const Dir& run_dir, std::string_view id, TakeOver take_over,
                          Hold hold = Hold::kDrive);

  /// Returns the pid of the lock's holder; 0 if the lock is free, 1 if the holder is unknown.
  static std::int64_t holder(const Dir& run_dir);

  /// The generation increases each time the lock is acquired.
  /// Keepers reject requests with an older generation (a fencing token).
  std::uint64_t generation() const { return held_->generation; }
  /// Fails with kDenied and the new holder's pid after a takeover of the run.
  /// Success proves that this process was the only holder until now.
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
  /// The longest time for which a caller should retry; 0 if retrying is pointless.
  std::int64_t patience_ms = 0;
};

/// LockWait retries for some seconds to acquire a lock that its holder is about to release.
/// A cancelled LockWait completes without the lock. Uses `run_dir` only in the constructor.
class LockWait final : public Operation {
 public:
  LockWait(Loop& loop, const Dir& run_dir, std::string_view id, TakeOver take_over,
           Hold hold = Hold::kDrive);
  ~LockWait() override;

  /// Returns the lock or the error of a finished wait.
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
