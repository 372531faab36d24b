// Poller reports readable pipes and ended children. Owns its libuv handles, not the descriptors.
// Only one Poller per process may exist, because it handles SIGCHLD. Worker thread.
// A separate epoll set instead of libuv would save less than 1 % of a child's start.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace moonlet {

class Poller {
 public:
  struct Handlers {
    /// Called when a descriptor is readable or at its end, maybe once more after remove().
    std::function<void(std::uint64_t key)> readable;
    /// Called when at least one child has ended since the last call.
    std::function<void()> child_ended;
  };
  Poller(uv_loop_t* loop, Handlers handlers);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Watches `fd` until remove(). Returns false with errno on failure.
  bool add(int fd, std::uint64_t key);
  /// Call remove() before closing `fd`: a child between clone and exec may keep it open.
  void remove(int fd);

 private:
  struct State;
  State* state_;
};

}  // namespace moonlet
