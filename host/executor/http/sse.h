// SseParser parses server-sent events from bytes that arrive in pieces of any size. It buffers one
// unfinished event, and refuses an event that is too large. One thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace moonlet::executor {

struct SseEvent {
  std::string name;  ///< the text of the `event:` line; often empty
  std::string data;  ///< the `data:` lines, joined by line feeds
};

class SseParser {
 public:
  static constexpr std::size_t kEventCap = 8 << 20;
  using Sink = std::function<void(const SseEvent&)>;

  explicit SseParser(Sink sink) : sink_(std::move(sink)) {}

  /// Takes the next bytes and hands over each event that they complete. False once an event is
  /// larger than kEventCap: nothing after it is read.
  bool feed(std::string_view bytes);
  /// The end of the stream: an event without an empty line after it still counts, because several
  /// servers omit that line.
  void finish();
  /// True once an event was larger than kEventCap.
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
