#include "host/base/clock.h"

#include <chrono>
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

std::optional<std::int64_t> parse_iso8601_utc(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000Z";
  if (text.size() != kForm.size()) return std::nullopt;
  int parts[7] = {};
  int part = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (digit != (kForm[i] == '0') || (!digit && text[i] != kForm[i])) return std::nullopt;
    if (digit) {
      parts[part] = parts[part] * 10 + (text[i] - '0');
    } else {
      ++part;
    }
  }
  using namespace std::chrono;
  const year_month_day day{year(parts[0]), month(static_cast<unsigned>(parts[1])),
                           std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!day.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return std::nullopt;
  const std::int64_t seconds = sys_days(day).time_since_epoch().count() * std::int64_t{86400} +
                               parts[3] * 3600 + parts[4] * 60 + parts[5];
  return seconds * 1000 + parts[6];
}

const SystemClock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string compact_utc(std::int64_t wall_ms) {
  std::tm tm = utc(wall_ms);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm);
  return text;
}

}  // namespace moonlet
