// Message is a message of the model, split into lines. A last line such as "[QUESTION] …" means
// that the model asks the user, or cannot continue. Control characters could hide such a line, so
// they are removed first. All functions are pure and thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet::executor {

struct Message {
  enum class End { kNone, kQuestion, kBlocked };
  struct Row {
    std::string text;
    bool progress = false;  ///< the line began with [PROGRESS], which `text` omits
  };

  std::vector<Row> rows;  ///< all nonempty lines, except for the final question or obstacle
  End end = End::kNone;
  std::string text;  ///< the text of the final question or obstacle
  std::vector<std::string> options;
};

/// Parses a message. If `may_end` is false, treats a question or an obstacle as ordinary lines.
Message read_message(std::string_view text, bool may_end = true);

/// Returns a line for printing as text. If it starts with a marker that only the executor may
/// print, indents it, so that it is not taken for the marker. The line must have no control
/// characters.
std::string as_text(std::string_view line);

}  // namespace moonlet::executor
