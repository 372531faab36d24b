// Limit says when all work must end: at a deadline or a signal. Borrows the clock. Any thread.
#pragma once

#include <poll.h>

#include <cstdint>

#include "host/base/clock.h"

namespace moonlet::executor {

struct Limit {
  const Clock* clock = nullptr;
  std::int64_t deadline_ms = 0;  ///< a time on the monotonic clock; 0: none
  int stop_fd = -1;              ///< becomes readable after a signal; -1: none

  bool over() const { return deadline_ms > 0 && clock->monotonic_ms() >= deadline_ms; }
  bool stopped() const {
    pollfd stop{stop_fd, POLLIN, 0};
    return stop_fd >= 0 && ::poll(&stop, 1, 0) > 0;
  }
  bool reached() const { return over() || stopped(); }
};

}  // namespace moonlet::executor
