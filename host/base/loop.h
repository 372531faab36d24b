// Loop owns a libuv loop and the timers of an engine or a keeper. Single-threaded. Code that opens
// a handle on raw() must also close it.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "host/base/clock.h"

namespace moonlet {

class Loop {
 public:
  /// Borrows `clock`, which must outlive the loop. With a FakeClock, the loop never sleeps;
  /// run_once() and fire_due() fire the timers that are due after a test has advanced the clock.
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Returns 0, or an errno if the construction failed. After a failure, no other call is allowed.
  int failure() const { return failure_; }

  uv_loop_t* raw() { return &loop_; }
  const Clock& clock() const { return clock_; }

  using TimerId = std::pair<std::int64_t, std::uint64_t>;
  /// Calls `fn` once from run_once() or fire_due(), after `delay_ms` >= 0. The returned id is valid
  /// until that call.
  TimerId after(std::int64_t delay_ms, std::function<void()> fn);
  /// Cancels a timer. Has no effect if the timer has fired or was cancelled.
  void cancel(TimerId id);

  /// Handles all ready events. If `wait` is true, first waits for an event or a timer.
  /// Returns false if no handle, timer or request is active.
  bool run_once(bool wait = true);
  /// Returns how long run_once() would wait, in ms; -1: no limit. Use it in a program's own loop
  /// that polls uv_backend_fd(). Returns 0 if libuv has not yet registered a new descriptor with
  /// the kernel.
  int timeout();
  /// Fires the timers that are due by the clock.
  void fire_due();
  bool has_timers() const { return !timers_.empty(); }

 private:
  void arm();

  const Clock& clock_;
  uv_loop_t loop_{};
  int failure_ = 0;
  uv_timer_t wake_{};
  uv_idle_t poll_at_once_{};  // while a timer is due, makes the loop poll without waiting
  uv_check_t after_poll_{};
  std::map<TimerId, std::function<void()>> timers_;
  std::uint64_t next_ = 1;
};

}  // namespace moonlet
