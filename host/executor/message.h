// Message is a parsed text of the model: progress lines, other lines, and the question or obstacle
// at its end. Control characters are removed before markers are searched, because they could hide
// one. Pure functions, any thread.
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

  std::vector<Row> rows;  ///< each line but those of the end; empty lines are left out
  End end = End::kNone;
  std::string text;  ///< the text of the end
  std::vector<std::string> options;
};

/// If `may_end` is false, a question or an obstacle is treated as ordinary text.
Message read_message(std::string_view text, bool may_end = true);

/// Prints a line as text: indents a marker that only the executor may print. The line must have no
/// control characters.
std::string as_text(std::string_view line);

}  // namespace moonlet::executor
