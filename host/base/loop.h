// Loop owns one libuv loop and the timers of one engine (or of one keeper). It owns no handles of
// others: the opener of a handle on raw() closes it. One thread, the one that calls run_once().
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "host/base/clock.h"

namespace moonlet {

class Loop {
 public:
  /// `clock` is borrowed and outlives the loop. With a FakeClock timers fire in run_once() or
  /// fire_due() after the clock was advanced; the loop never sleeps.
  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// 0, or the errno for which there is no loop; then only this and the destructor may be called.
  int failure() const { return failure_; }

  uv_loop_t* raw() { return &loop_; }
  const Clock& clock() const { return clock_; }

  using TimerId = std::pair<std::int64_t, std::uint64_t>;
  /// Calls `fn` once, `delay_ms` (not negative) from now, from run_once(). The id stays valid until
  /// it fired or was cancelled.
  TimerId after(std::int64_t delay_ms, std::function<void()> fn);
  /// Cancelling a timer that fired, or twice, has no effect.
  void cancel(TimerId id);

  /// Waits for at least one event (or timer) and handles all that are there. False when none is
  /// pending. With `wait` false it only handles those already there.
  bool run_once(bool wait = true);
  /// Fires the timers that are due by the clock.
  void fire_due();
  bool has_timers() const { return !timers_.empty(); }

 private:
  void arm();

  const Clock& clock_;
  uv_loop_t loop_{};
  int failure_ = 0;
  uv_timer_t wake_{};
  uv_idle_t poll_at_once_{};  // both while a timer is due already
  uv_check_t after_poll_{};
  std::map<TimerId, std::function<void()>> timers_;
  std::uint64_t next_ = 1;
};

}  // namespace moonlet
