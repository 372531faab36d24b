// Wake wakes a waiting engine from another thread or a signal handler, even if the engine is gone.
// Wake owns a pipe, which all handles share.
// send() is safe anywhere; the other methods belong to the loop's thread.
#pragma once

#include <atomic>
#include <functional>

#include "host/base/fd.h"
#include "host/base/loop.h"

namespace moonlet {

class Wake {
 public:
  Wake();
  /// Returns 0, or the errno if there is no pipe.
  int failure() const { return failure_; }
  void send() const;
  /// Reads all pending wake-ups from the pipe.
  void drain() const;
  int descriptor() const { return read_.get(); }

 private:
  int failure_ = 0;
  Fd read_, write_;
};

/// WakeWatch polls a Wake in a loop. The loop waits for wake-ups only during hold(true).
class WakeWatch {
 public:
  /// Returns 0 or an errno.
  int start(Loop& loop, const Wake& wake);
  ~WakeWatch();
  void hold(bool on);

 private:
  uv_poll_t* poll_ = nullptr;  // the loop frees this handle
};

}  // namespace moonlet
