// EventFile follows the events.jsonl of a run while its host writes the file.
// Returns only complete lines. Keeps at most one line and one block in memory, and skips lines of
// more than 16 MB. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/fd.h"

namespace moonlet::web {

struct EventLine {
  std::string_view text;     ///< JSON, if is_json_line(); valid until the next call
  std::uint64_t number = 0;  ///< the event's number in the run, from 1
};

class EventFile {
 public:
  EventFile() = default;
  explicit EventFile(Fd file) : file_(std::move(file)) {}

  explicit operator bool() const { return static_cast<bool>(file_); }
  /// Returns the next complete line; no value if there is none yet.
  std::optional<EventLine> next();

 private:
  Fd file_;
  std::string text_;
  std::size_t at_ = 0;        ///< the start of the next line in text_
  std::size_t searched_ = 0;  ///< text_ has no line end before this offset
  bool is_too_long_ = false;  ///< the beginning of the next line was dropped
};

/// Returns true if the line is JSON without a carriage return, which would end a line of an event
/// stream. A damaged or imported file may have other lines.
bool is_json_line(std::string_view line);

/// Returns a string field at the end of an event's line ("type", "step"), still escaped.
/// The host sorts an event's fields by name, so "data" comes first.
std::string_view last_field(std::string_view line, std::string_view name);

}  // namespace moonlet::web
