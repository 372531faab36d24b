// Reports that one of many pipes can be read, or that a child has ended. Owns its place in the
// loop, not the descriptors. Worker thread; one for a process, because of the child signal. It is
// made of libuv's handles: an epoll set of our own saved 2 of 12 microseconds of CPU a pipe, which
// is less than 1 % of the start of a child.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace moonlet {

class Poller {
 public:
  struct Handlers {
    /// The descriptor is readable or at its end. A key may be reported once more after remove().
    std::function<void(std::uint64_t key)> readable;
    /// At least one child has ended since this was last called.
    std::function<void()> child_ended;
  };
  Poller(uv_loop_t* loop, Handlers handlers);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Watches `fd` until remove(). False with errno.
  bool add(int fd, std::uint64_t key);
  /// Before `fd` is closed: a child between clone and exec may hold it open.
  void remove(int fd);

 private:
  struct State;
  State* state_;
};

}  // namespace moonlet
