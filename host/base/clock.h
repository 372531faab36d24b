// All code reads the time from a Clock, so that tests can set it. SystemClock reads the kernel's
// clocks. FakeClock changes only when its own functions are called. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moonlet {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Returns milliseconds since an arbitrary point. The value never decreases.
  virtual std::int64_t monotonic_ms() const = 0;
  /// Returns milliseconds since 1970-01-01 UTC.
  virtual std::int64_t wall_ms() const = 0;
};

class SystemClock final : public Clock {
 public:
  std::int64_t monotonic_ms() const override;
  std::int64_t wall_ms() const override;
};

const SystemClock& system_clock();

class FakeClock final : public Clock {
 public:
  explicit FakeClock(std::int64_t wall_ms = 0) : wall_(wall_ms) {}
  std::int64_t monotonic_ms() const override { return now_; }
  std::int64_t wall_ms() const override { return wall_ + now_; }
  void advance(std::int64_t ms) { now_ += ms; }

 private:
  std::int64_t now_ = 0;
  std::int64_t wall_;
};

/// Formats "2026-11-21T03:12:00.123Z".
std::string iso8601_utc(std::int64_t wall_ms);
/// Parses the format of iso8601_utc() into milliseconds. Returns no value for another format.
std::optional<std::int64_t> parse_iso8601_utc(std::string_view text);
/// Formats "20261121T031200Z", for file names.
std::string compact_utc(std::int64_t wall_ms);

}  // namespace moonlet
