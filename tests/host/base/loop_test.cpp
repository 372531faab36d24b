#include "host/base/loop.h"

#include <string>

#include "tests/catch.h"

using namespace moonlet;

TEST_CASE("timers fire in order of their deadline, only by the given clock") {
  FakeClock clock;
  Loop loop(clock);
  std::string order;
  loop.after(20, [&] { order += 'b'; });
  loop.after(10, [&] { order += 'a'; });
  auto dropped = loop.after(15, [&] { order += 'x'; });
  loop.cancel(dropped);
  loop.cancel(dropped);
  loop.fire_due();
  CHECK(order.empty());
  clock.advance(10);
  loop.fire_due();
  CHECK(order == "a");
  clock.advance(100);
  loop.fire_due();
  CHECK(order == "ab");
  CHECK_FALSE(loop.has_timers());
}

TEST_CASE("a timer set by a timer waits for the next turn") {
  FakeClock clock;
  Loop loop(clock);
  int fired = 0;
  std::function<void()> again = [&] {
    if (++fired < 5) loop.after(0, again);
  };
  loop.after(0, again);
  loop.fire_due();
  CHECK(fired == 1);
  loop.fire_due();
  CHECK(fired == 2);
}

TEST_CASE("a timer that is due when the loop starts is not followed by a wait for the next one") {
  SystemClock clock;
  Loop loop(clock);
  bool fired = false;
  loop.after(1, [&] { fired = true; });
  loop.after(std::int64_t{3600} * 1000, [] {});
  // Misses the timer's time, as a long stretch of Lua would. libuv's own timers only know the
  // system's clock.
  const std::int64_t start = clock.monotonic_ms();
  while (clock.monotonic_ms() < start + 5) continue;
  loop.run_once();
  CHECK(fired);
}
