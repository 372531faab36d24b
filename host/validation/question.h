// Finds the last [QUESTION] in an agent's answer, with its options. Ignores questions in code
// fences and quotes, and markers within a line. Other output markers end a question.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Question is a question in an agent's answer. Its strings are trimmed and limited in size, and
/// may be invalid UTF-8.
struct Question {
  static constexpr std::size_t kLineCap = 64 * 1024;  ///< the rest of a longer line is ignored
  static constexpr std::size_t kTextCap = 64 * 1024;  ///< maximum size of the text
  static constexpr std::size_t kMaxOptions = 64;

  std::string text;
  std::vector<std::string> options;
  std::size_t begin = 0, end = 0;  ///< byte offsets of the question in the answer
};

/// Returns the last question in the answer, or no value if it asks none.
std::optional<Question> last_question(std::string_view answer);
/// Like last_question(), for [BLOCKED]: the text is the agent's reason to stop.
std::optional<Question> last_blocked(std::string_view answer);
/// Calls `visit` for each line of an answer. `fenced` is true if the line is part of a code fence.
void each_line(std::string_view answer,
               const std::function<void(std::string_view line, bool fenced)>& visit);

}  // namespace moonlet
