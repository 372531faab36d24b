// A clock that runs like the system's and leaps on request. Its readers then see what they would
// see if the process had been stopped for that long. Any thread.
#pragma once

#include <atomic>

#include "host/base/clock.h"

namespace moonlet::test {

class LeapClock final : public Clock {
 public:
  std::int64_t monotonic_ms() const override { return clock_.monotonic_ms() + leap_; }
  std::int64_t wall_ms() const override { return clock_.wall_ms() + leap_; }
  void leap(std::int64_t ms) { leap_ += ms; }

 private:
  SystemClock clock_;
  std::atomic<std::int64_t> leap_{0};
};

}  // namespace moonlet::test
