// Wake is a pipe that wakes an engine from another thread or from a signal handler. The handles of
// runs share it, so send() is safe even if the engine is gone, and in a signal handler. All other
// methods are for the loop's thread only.
#pragma once

#include <atomic>
#include <functional>

#include "host/base/fd.h"
#include "host/base/loop.h"

namespace moonlet {

class Wake {
 public:
  Wake();
  /// Returns 0, or the errno if the pipe could not be created.
  int failure() const { return failure_; }
  void send() const;
  /// Discards the bytes that send() has written.
  void drain() const;
  int descriptor() const { return read_.get(); }

 private:
  int failure_ = 0;
  Fd read_, write_;
};

/// WakeWatch polls a Wake in a loop. After hold(true), the loop waits for a wake-up even if it has
/// no other work.
class WakeWatch {
 public:
  /// Starts polling. Returns 0 or an errno.
  int start(Loop& loop, const Wake& wake);
  ~WakeWatch();
  void hold(bool on);

 private:
  uv_poll_t* poll_ = nullptr;  // the loop frees this handle
};

}  // namespace moonlet
