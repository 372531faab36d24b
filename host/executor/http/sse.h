// SseParser parses server-sent events from bytes that arrive in pieces of any size.
// Buffers a single unfinished event and refuses a too large event. Single-threaded.
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

  /// Parses the next bytes and passes on each completed event.
  /// Returns false after an event above kEventCap, which ends parsing.
  bool feed(std::string_view bytes);
  /// Ends the stream. Accepts a final event without an empty line, as some servers send it.
  void finish();
  /// Returns true after an event above kEventCap.
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
