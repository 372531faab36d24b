// last_question finds an agent's question to a person: the last [QUESTION] of its answer, at the
// start of a line and outside code fences and quotes, with its options. Other output markers of
// task executors end it. Pure function, any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Texts are bytes as they came (maybe no UTF-8), trimmed, cut at the caps.
struct Question {
  static constexpr std::size_t kLineCap = 64 * 1024;  ///< bytes of a line that are looked at
  static constexpr std::size_t kTextCap = 64 * 1024;  ///< bytes of the text
  static constexpr std::size_t kMaxOptions = 64;

  std::string text;
  std::vector<std::string> options;
  std::size_t begin = 0, end = 0;  ///< its lines are these bytes of the answer
};

/// Empty when the answer asks no question.
std::optional<Question> last_question(std::string_view answer);
/// The same for [BLOCKED]: the text is the reason that the agent cannot go on.
std::optional<Question> last_blocked(std::string_view answer);
/// Visits the lines of an answer. `fenced` is true for those that belong to a code fence.
void each_line(std::string_view answer,
               const std::function<void(std::string_view line, bool fenced)>& visit);

}  // namespace moonlet
