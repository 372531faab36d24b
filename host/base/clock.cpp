#include "host/base/clock.h"

#include <cstdio>
#include <ctime>

namespace moonlet {

namespace {

std::int64_t read_clock(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<std::int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1000000;
}

std::tm utc(std::int64_t wall_ms) {
  std::time_t seconds = wall_ms / 1000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  return tm;
}

}  // namespace

std::int64_t SystemClock::monotonic_ms() const { return read_clock(CLOCK_MONOTONIC); }
std::int64_t SystemClock::wall_ms() const { return read_clock(CLOCK_REALTIME); }

std::string iso8601_utc(std::int64_t wall_ms) {
  std::tm tm = utc(wall_ms);
  char text[48];
  std::size_t used = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
  std::snprintf(text + used, sizeof text - used, ".%03dZ", static_cast<int>(wall_ms % 1000));
  return text;
}

std::string compact_utc(std::int64_t wall_ms) {
  std::tm tm = utc(wall_ms);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm);
  return text;
}

}  // namespace moonlet
