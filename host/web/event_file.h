// EventFile reads a run's events.jsonl while its host may still append to the file, or another file
// of JSON lines. Returns only complete lines. Keeps at most one line and one block in memory, and
// skips lines of more than 16 MB. One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/fd.h"

namespace moonlet::web {

struct EventLine {
  std::string_view text;     ///< valid until the next call; may be invalid JSON
  std::uint64_t number = 0;  ///< the event's number, from 1 in each run
};

class EventFile {
 public:
  EventFile() = default;
  explicit EventFile(Fd file) : file_(std::move(file)) {}

  explicit operator bool() const { return static_cast<bool>(file_); }
  /// Returns the next event; no value if there is none yet.
  std::optional<EventLine> next();
  /// Returns the next complete line of any kind. It is valid until the next call.
  std::optional<std::string_view> next_line();
  /// Returns the number of the line that was returned last, from 1.
  std::size_t line_number() const { return line_number_; }

 private:
  Fd file_;
  std::string text_;
  std::size_t line_number_ = 0;
  std::size_t at_ = 0;        ///< the start of the next line in text_
  std::size_t searched_ = 0;  ///< text_ has no newline from at_ to this offset
  bool is_too_long_ = false;  ///< the next line was too long, and its beginning was discarded
};

/// Returns the string member `name` of `object`; "" if it is missing or not a string.
std::string text_of(const nlohmann::json& object, const char* name);

/// Returns true if the line is valid JSON and has no carriage return, which would end a line in a
/// stream of server-sent events. Lines in a damaged or imported file may be invalid.
bool is_json_line(std::string_view line);

/// Returns the value of a string field that follows "number" in an event's line ("type", "step"),
/// without decoding its escapes. The host writes the fields in sorted order, so "data" precedes
/// "number".
std::string_view last_field(std::string_view line, std::string_view name);

}  // namespace moonlet::web
