// Reports that one of many pipes can be read, or that a child has ended. Owns its libuv handles,
// not the descriptors. Worker thread; one per process, because of SIGCHLD. It uses libuv: a
// separate epoll set saved only 2 of 12 microseconds of CPU per pipe, less than 1 % of the start of
// a child.
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
  /// Call it before closing `fd`: a child between clone and exec may keep it open.
  void remove(int fd);

 private:
  struct State;
  State* state_;
};

}  // namespace moonlet
