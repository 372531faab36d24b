// SseParser parses server-sent events from bytes that arrive in pieces of any size. Buffers at most
// one unfinished event, and rejects an event that is too large. Single-threaded.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace moonlet::executor {

struct SseEvent {
  std::string name;  ///< value of the `event:` line; often empty
  std::string data;  ///< the `data:` lines, joined by line feeds
};

class SseParser {
 public:
  static constexpr std::size_t kEventCap = 8 << 20;
  using Sink = std::function<void(const SseEvent&)>;

  explicit SseParser(Sink sink) : sink_(std::move(sink)) {}

  /// Passes on each complete event. Stops and returns false at an event larger than kEventCap.
  bool feed(std::string_view bytes);
  /// Ends the stream. Some servers omit the empty line after the last event.
  void finish();
  /// Returns true if an event was larger than kEventCap.
  bool overflow() const { return overflow_; }

 private:
  void take_line();
  void dispatch();

  Sink sink_;
  std::string line_;
  SseEvent event_;
  bool has_data_ = false;
  bool first_line_ = true;
  bool after_cr_ = false;
  bool overflow_ = false;
};

}  // namespace moonlet::executor
