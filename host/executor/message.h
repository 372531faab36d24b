// Message is a text of the model, taken apart: its progress, its words, and the question or
// obstacle that it ends with. Control characters go before markers are looked for, so that none
// hides another. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet::executor {

struct Message {
  enum class End { kNone, kQuestion, kBlocked };
  struct Row {
    std::string text;
    bool progress = false;  ///< `text` is what stands behind the marker
  };

  std::vector<Row> rows;  ///< each line but those of the end; empty lines are left out
  End end = End::kNone;
  std::string text;  ///< the text of the end
  std::vector<std::string> options;
};

/// With `may_end` false a question or an obstacle is text like any other.
Message read_message(std::string_view text, bool may_end = true);

/// A line as text: a marker that only the executor prints is indented. It must hold no control
/// characters.
std::string as_text(std::string_view line);

}  // namespace moonlet::executor
