#include "host/validation/question.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "host/base/ascii.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kQuestion = "[QUESTION]";
constexpr std::string_view kBlocked = "[BLOCKED]";
constexpr std::string_view kMarkers[] = {kQuestion, "[PROGRESS]", kBlocked, "[FILES_MODIFIED]",
                                         "[CODEX_COMPLETE]"};

std::string_view trimmed_line(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::size_t indent_of(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? text.size() : first;
}

// Returns the length of a list marker such as "- ", "* ", "+ ", "12. " or "3) "; 0 if `text` does
// not start with one.
std::size_t list_marker(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && size < 9 && is_digit(text[size])) ++size;
  if (size > 0) {
    if (size == text.size() || (text[size] != '.' && text[size] != ')')) return 0;
  } else if (text.empty() || (text[0] != '-' && text[0] != '*' && text[0] != '+')) {
    return 0;
  }
  ++size;
  if (size == text.size()) return size;
  const auto blanks = text.find_first_not_of(kBlanks, size);
  return blanks == size ? 0 : std::min(blanks, text.size());
}

std::size_t run_of(std::string_view text, char c) {
  return std::min(text.find_first_not_of(c), text.size());
}

bool is_options_header(std::string_view text) {
  if (!text.empty() && text.back() == ':') text.remove_suffix(1);
  constexpr std::string_view kWord = "options";
  return std::equal(text.begin(), text.end(), kWord.begin(), kWord.end(),
                    [](char a, char b) { return (a | 0x20) == b; });
}

/// Fence tracks a Markdown code fence, which ends at its closing line or with its list item.
class Fence {
 public:
  /// Returns true if a fence is open and the line belongs to it.
  bool takes(std::string_view text) {
    if (mark_ == 0) return false;
    const std::size_t indent = indent_of(text);
    const auto rest = text.substr(indent);
    if (indent < column_ && !trimmed_line(rest).empty()) {
      mark_ = 0;  // a fence ends with its list item
      return false;
    }
    const std::size_t size = run_of(rest, mark_);
    if (indent <= column_ + 3 && size >= size_ && trimmed_line(rest.substr(size)).empty()) {
      mark_ = 0;
    }
    return true;
  }

  /// Returns true if the line opens a fence.
  bool opens(std::string_view text) {
    std::size_t column = 0;
    std::size_t indent = indent_of(text);
    auto rest = text;
    for (;;) {
      if (indent > 3) return false;
      rest = text.substr(column + indent);
      const std::size_t marker = list_marker(rest);
      if (marker == 0) break;
      // The fence is in a list item, so indentation counts from the item's text.
      column += indent + marker;
      indent = 0;
    }
    if (rest.empty() || (rest[0] != '`' && rest[0] != '~')) return false;
    const std::size_t size = run_of(rest, rest[0]);
    if (size < 3) return false;
    // If more backticks follow in the line, it is inline code and opens no fence.
    if (rest[0] == '`' && rest.find('`', size) != std::string_view::npos) return false;
    mark_ = rest[0];
    size_ = size;
    column_ = column;
    return true;
  }

 private:
  char mark_ = 0;  // 0: no fence is open
  std::size_t size_ = 0;
  std::size_t column_ = 0;  // column of the enclosing list item's text; 0 outside lists
};

class Finder {
 public:
  explicit Finder(std::string_view marker) : marker_(marker) {}

  /// Handles the next line of the answer. `begin` and `end` are the line's offsets in the answer.
  void line(std::string_view text, std::size_t begin, std::size_t end) {
    // Cut a long line at a character boundary.
    if (text.size() > Question::kLineCap) text = cut_end(text, Question::kLineCap);
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    if (fence_.takes(text)) return;
    const bool marked =
        (block_ != Block::kNone && belongs(text)) || (!fence_.opens(text) && begins(text, begin));
    if (marked) question_->end = end;
  }

  std::optional<Question> take() { return std::move(question_); }

 private:
  enum class Block { kNone, kText, kOptions };

  bool begins(std::string_view text, std::size_t at) {
    const std::size_t indent = indent_of(text);
    if (indent > 3 || !text.substr(indent).starts_with(marker_)) return false;
    auto tail = text.substr(indent + marker_.size());
    // "[QUESTION](…)" and "[QUESTION][…]" are Markdown links.
    if (!tail.empty() && (tail[0] == '(' || tail[0] == '[')) return false;
    if (!tail.empty() && tail[0] == ':') tail.remove_prefix(1);
    question_.emplace().text = trimmed_line(tail);
    question_->begin = at;
    block_ = Block::kText;
    blank_ = false;
    return true;
  }

  // Adds a line to the question. Returns false if the line does not belong to it, which ends the
  // question.
  bool belongs(std::string_view text) {
    const auto content = trimmed_line(text);
    if (content.empty()) {
      if (std::exchange(blank_, true)) block_ = Block::kNone;  // two blank lines end the question
      return true;
    }
    const bool marks =
        content[0] == '>' || content.starts_with("```") || content.starts_with("~~~") ||
        std::any_of(std::begin(kMarkers), std::end(kMarkers),
                    [&](std::string_view marker) { return content.starts_with(marker); });
    if (!marks && ((block_ == Block::kText && text_line(content)) ||
                   (block_ == Block::kOptions && option_line(text, content)))) {
      blank_ = false;
      return true;
    }
    block_ = Block::kNone;
    return false;
  }

  // Adds a line to the question's text. Returns false for a line outside the text. "Options:" or a
  // list marker starts the options.
  bool text_line(std::string_view content) {
    const bool header = is_options_header(content);
    if (header || list_marker(content) != 0) {
      block_ = Block::kOptions;
      return header;
    }
    if (blank_) return false;
    append(question_->text, "\n", content, Question::kTextCap);
    return true;
  }

  bool option_line(std::string_view text, std::string_view content) {
    constexpr std::size_t kCap = Question::kTextCap / Question::kMaxOptions;
    auto& options = question_->options;
    if (const std::size_t marker = list_marker(content); marker != 0) {
      if (options.size() < Question::kMaxOptions) {
        options.emplace_back(cut_end(content.substr(marker), kCap));
      }
      return true;
    }
    // A line that continues an option must be indented.
    if (options.empty() || blank_ || indent_of(text) == 0) return false;
    append(options.back(), " ", content, kCap);
    return true;
  }

  static void append(std::string& to, std::string_view gap, std::string_view text,
                     std::size_t cap) {
    const std::size_t room = cap - std::min(cap, to.size() + gap.size());
    if (room == 0) return;
    if (!to.empty()) to += gap;
    to += cut_end(text, room);
  }

  std::string_view marker_;
  Fence fence_;
  Block block_ = Block::kNone;  // the part of the question that the next line may continue
  bool blank_ = false;          // the previous line was blank
  std::optional<Question> question_;
};

std::optional<Question> last_marked(std::string_view answer, std::string_view marker) {
  Finder finder(marker);
  for (std::size_t at = answer.starts_with("\xef\xbb\xbf") ? 3 : 0; at < answer.size();) {
    const std::size_t end = std::min(answer.find('\n', at), answer.size());
    finder.line(answer.substr(at, end - at), at, end);
    at = end + 1;
  }
  return finder.take();
}

}  // namespace

std::optional<Question> last_question(std::string_view answer) {
  return last_marked(answer, kQuestion);
}

std::optional<Question> last_blocked(std::string_view answer) {
  return last_marked(answer, kBlocked);
}

void each_line(std::string_view answer,
               const std::function<void(std::string_view line, bool fenced)>& visit) {
  Fence fence;
  for (std::size_t at = 0; at < answer.size();) {
    const std::size_t end = std::min(answer.find('\n', at), answer.size());
    const auto line = answer.substr(at, end - at);
    visit(line, fence.takes(line) || fence.opens(line));
    at = end + 1;
  }
}

}  // namespace moonlet
