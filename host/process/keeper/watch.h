// FdWatch and SignalWatch call a function from the event loop until they are destroyed, even if the
// function itself destroys them. Each owns its libuv handle. Worker thread.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>

namespace moonlet {

struct WatchState;
struct CloseWatch {
  void operator()(WatchState* state) const;
};
using WatchedHandle = std::unique_ptr<WatchState, CloseWatch>;

/// Borrows its descriptor. Destroy FdWatch before closing the descriptor. Otherwise libuv could
/// watch another file that gets the same number. Closing is not enough, because a child between
/// clone and exec may keep the file open.
class FdWatch {
 public:
  /// A negative `status` is an error. FdWatch then waits for no further events.
  using Ready = std::function<void(int status, int events)>;
  FdWatch() = default;
  /// If libuv cannot watch `fd`, the object is false and errno is set.
  FdWatch(uv_loop_t* loop, int fd, Ready ready);
  explicit operator bool() const { return state_ != nullptr; }
  /// Waits for UV_READABLE, UV_WRITABLE, both, or nothing (0).
  void want(int events);

 private:
  WatchedHandle state_;
};

class SignalWatch {
 public:
  SignalWatch(uv_loop_t* loop, int signal, std::function<void()> raised);

 private:
  WatchedHandle state_;
};

}  // namespace moonlet
