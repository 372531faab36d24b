// last_question finds the last [QUESTION] of an agent's answer, with its options.
// Code fences, quotes, and markers within a line are ignored. Other output markers end a question.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Question has trimmed and truncated texts, which may be invalid UTF-8.
struct Question {
  static constexpr std::size_t kLineCap = 64 * 1024;  ///< bytes of a line that are read
  static constexpr std::size_t kTextCap = 64 * 1024;  ///< bytes of the text
  static constexpr std::size_t kMaxOptions = 64;

  std::string text;
  std::vector<std::string> options;
  std::size_t begin = 0, end = 0;  ///< the byte range of the question in the answer
};

/// Returns no value if the answer asks no question.
std::optional<Question> last_question(std::string_view answer);
/// Like last_question(), for [BLOCKED]: the text is the agent's reason to stop.
std::optional<Question> last_blocked(std::string_view answer);
/// Visits the lines of an answer. `fenced` is true for lines of a code fence.
void each_line(std::string_view answer,
               const std::function<void(std::string_view line, bool fenced)>& visit);

}  // namespace moonlet
