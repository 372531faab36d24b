// Message is a parsed text of the model: rows, and the final question or obstacle.
// Control characters are removed first, because they could hide a marker.
// All functions are pure and may run on any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet::executor {

struct Message {
  enum class End { kNone, kQuestion, kBlocked };
  struct Row {
    std::string text;
    bool progress = false;  ///< `text` follows the marker
  };

  std::vector<Row> rows;  ///< all nonempty lines before the final question or obstacle
  End end = End::kNone;
  std::string text;  ///< the text of the final question or obstacle
  std::vector<std::string> options;
};

/// If `may_end` is false, a question or an obstacle is ordinary text.
Message read_message(std::string_view text, bool may_end = true);

/// Formats a line without control characters as text.
/// as_text() indents a marker that only the executor may print.
std::string as_text(std::string_view line);

}  // namespace moonlet::executor
