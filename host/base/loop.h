// Loop owns a libuv loop and the timers of an engine or a keeper. Single-threaded.
// The opener of a handle on raw() must close the handle.
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
  /// Borrows `clock`, which must outlive the loop. The loop never sleeps with a FakeClock.
  /// With a FakeClock, run_once() and fire_due() fire timers after the clock was advanced.
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Returns 0, or the errno of a failed construction, after which no other call is allowed.
  int failure() const { return failure_; }

  uv_loop_t* raw() { return &loop_; }
  const Clock& clock() const { return clock_; }

  using TimerId = std::pair<std::int64_t, std::uint64_t>;
  /// Calls `fn` once from run_once(), after `delay_ms` >= 0. The id is valid until then.
  TimerId after(std::int64_t delay_ms, std::function<void()> fn);
  /// Cancels a timer. Has no effect on a fired or cancelled timer.
  void cancel(TimerId id);

  /// Handles all ready events; with `wait`, first waits for an event or timer.
  /// Returns false if no event is pending.
  bool run_once(bool wait = true);
  /// Returns the longest time that run_once() would wait, in ms; -1: no limit.
  /// For a foreign loop that polls uv_backend_fd(). Returns 0 also for an unregistered descriptor.
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
  uv_idle_t poll_at_once_{};  // active with after_poll_ while a timer is due
  uv_check_t after_poll_{};
  std::map<TimerId, std::function<void()>> timers_;
  std::uint64_t next_ = 1;
};

}  // namespace moonlet
