#include "host/validation/question.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed_line(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::size_t indent_of(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? text.size() : first;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The length of "- ", "* ", "+ ", "12. ", "3) " at the start; 0 when there is no list marker.
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

// Which first characters make a line worth a look, outside fences and blocks.
constexpr std::array<bool, 256> interesting_table() {
  std::array<bool, 256> table{};
  for (unsigned char c : {'[', '`', '~', '-', '*', '+'}) table[c] = true;
  for (unsigned char c = '0'; c <= '9'; ++c) table[c] = true;
  return table;
}
constexpr auto kInteresting = interesting_table();

struct Name {
  std::string_view text;
  MarkerKind kind;
};
constexpr Name kNames[] = {
    {"[PROGRESS]", MarkerKind::kProgress},       {"[QUESTION]", MarkerKind::kQuestion},
    {"[BLOCKED]", MarkerKind::kBlocked},         {"[FILES_MODIFIED]", MarkerKind::kFilesModified},
    {"[CODEX_COMPLETE]", MarkerKind::kComplete},
};

// The number in "… completed in 12 iterations".
std::optional<std::uint64_t> iterations_in(std::string_view text) {
  constexpr std::string_view kBefore = "completed in ";
  const auto at = text.find(kBefore);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + kBefore.size());
  std::size_t digits = 0;
  std::uint64_t number = 0;
  for (; digits < text.size() && is_digit(text[digits]); ++digits) {
    number = number * 10 + static_cast<std::uint64_t>(text[digits] - '0');
  }
  if (digits == 0 || digits > 18) return std::nullopt;
  return text.compare(digits, 10, " iteration") == 0 ? std::optional(number) : std::nullopt;
}

bool is_options_header(std::string_view text) {
  if (!text.empty() && text.back() == ':') text.remove_suffix(1);
  if (text.size() != 7) return false;
  constexpr std::string_view kWord = "options";
  for (std::size_t i = 0; i < kWord.size(); ++i) {
    if ((text[i] | 0x20) != kWord[i]) return false;
  }
  return true;
}

FileChange file_change(std::string_view text) {
  FileChange out;
  if (!text.empty() && text.back() == ')') {
    const auto open = text.rfind('(');
    const auto word = open == std::string_view::npos
                          ? std::string_view()
                          : trimmed_line(text.substr(open + 1, text.size() - open - 2));
    const bool is_word = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ' || c == '-';
    });
    // "(x)" may end a name; a word about a change has blanks before it.
    if (is_word && open > 0 && kBlanks.find(text[open - 1]) != std::string_view::npos) {
      for (char c : word) out.change += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      text = trimmed_line(text.substr(0, open));
    }
  }
  if (text.size() >= 2 && text.front() == '`' && text.back() == '`') {
    text = text.substr(1, text.size() - 2);
  }
  out.path = text;
  return out;
}

}  // namespace

std::string_view to_string(MarkerKind kind) {
  switch (kind) {
    case MarkerKind::kProgress:
      return "progress";
    case MarkerKind::kQuestion:
      return "question";
    case MarkerKind::kBlocked:
      return "blocked";
    case MarkerKind::kFilesModified:
      return "files_modified";
    case MarkerKind::kComplete:
      return "complete";
  }
  return "progress";
}

void MarkerScanner::feed(std::string_view chunk) {
  while (!chunk.empty()) {
    const auto* end = static_cast<const char*>(std::memchr(chunk.data(), '\n', chunk.size()));
    const std::size_t size =
        end != nullptr ? static_cast<std::size_t>(end - chunk.data()) : chunk.size();
    if (end != nullptr && !open_) {
      line(chunk.substr(0, std::min(size, kLineCap)), size > kLineCap);
    } else {
      const std::size_t room = kLineCap - partial_.size();
      partial_.append(chunk.substr(0, std::min(size, room)));
      long_ = long_ || size > room;
      open_ = true;
      if (end != nullptr) {
        line(partial_, long_);
        partial_.clear();
        open_ = long_ = false;
      }
    }
    chunk.remove_prefix(end != nullptr ? size + 1 : size);
  }
}

void MarkerScanner::finish() {
  if (open_) line(partial_, long_);
  if (block_ != Block::kNone) emit();
  *this = MarkerScanner(std::move(handler_));
}

// Nearly every line ends here: nothing is open and its first character says that it is nothing.
void MarkerScanner::line(std::string_view text, bool cut) {
  ++lines_;
  if (fence_ == 0 && block_ == Block::kNone && lines_ > 1) {
    std::size_t at = 0;
    while (at < text.size() && text[at] == ' ') ++at;
    if (at == text.size() || !kInteresting[static_cast<unsigned char>(text[at])]) return;
  }
  busy_line(text, cut);
}

void MarkerScanner::busy_line(std::string_view text, bool cut) {
  if (lines_ == 1 && text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  if (fence_ != 0 && fence_line(text)) return;
  if (block_ != Block::kNone && block_line(text, cut)) return;
  if (open_fence(text)) return;
  marker_line(text, cut);
}

// True when the line belongs to the fence we are in.
bool MarkerScanner::fence_line(std::string_view text) {
  const std::size_t indent = indent_of(text);
  const auto rest = text.substr(indent);
  if (indent < fence_column_ && !trimmed_line(rest).empty()) {
    // The list item around the fence is over, and the fence with it.
    fence_ = 0;
    return false;
  }
  const std::size_t size = run_of(rest, fence_);
  if (indent <= fence_column_ + 3 && size >= fence_size_ &&
      trimmed_line(rest.substr(size)).empty()) {
    fence_ = 0;
  }
  return true;
}

bool MarkerScanner::open_fence(std::string_view text) {
  std::size_t column = 0;
  std::size_t indent = indent_of(text);
  auto rest = text;
  for (;;) {
    if (indent > 3) return false;
    rest = text.substr(column + indent);
    const std::size_t marker = list_marker(rest);
    if (marker == 0) break;
    // Inside a list item the columns count from its text.
    column += indent + marker;
    indent = 0;
  }
  if (rest.size() < 3 || (rest[0] != '`' && rest[0] != '~')) return false;
  const std::size_t size = run_of(rest, rest[0]);
  if (size < 3) return false;
  // A line with backticks behind is code in a line of text.
  if (rest[0] == '`' && rest.find('`', size) != std::string_view::npos) return false;
  fence_ = rest[0];
  fence_size_ = size;
  fence_column_ = column;
  return true;
}

bool MarkerScanner::marker_line(std::string_view text, bool cut) {
  const std::size_t indent = indent_of(text);
  if (indent > 3) return false;
  const auto rest = text.substr(indent);
  for (const auto& name : kNames) {
    if (rest.substr(0, name.text.size()) != name.text) continue;
    auto tail = rest.substr(name.text.size());
    // "[BLOCKED](…)" and "[BLOCKED][…]" are links.
    if (!tail.empty() && (tail[0] == '(' || tail[0] == '[')) return false;
    if (!tail.empty() && tail[0] == ':') tail.remove_prefix(1);
    // The cap may have split a character.
    if (cut) tail = cut_end(tail, tail.size() - 3);
    pending_ = Marker();
    pending_.kind = name.kind;
    pending_.text = trimmed_line(tail);
    pending_.line = lines_;
    pending_.cut = cut;
    blank_ = false;
    if (name.kind == MarkerKind::kQuestion) {
      block_ = Block::kQuestion;
    } else if (name.kind == MarkerKind::kFilesModified) {
      block_ = Block::kFiles;
    } else {
      if (name.kind == MarkerKind::kComplete) pending_.iterations = iterations_in(pending_.text);
      emit();
    }
    return true;
  }
  return false;
}

// True when the line belongs to the open question or list; else that has been emitted.
bool MarkerScanner::block_line(std::string_view text, bool cut) {
  const auto content = trimmed_line(text);
  if (content.empty()) {
    if (std::exchange(blank_, true)) emit();  // two blank lines end anything
    return true;
  }
  const bool marks = content[0] == '>' || content.substr(0, 3) == "```" ||
                     content.substr(0, 3) == "~~~" ||
                     std::any_of(std::begin(kNames), std::end(kNames), [&](const Name& name) {
                       return content.substr(0, name.text.size()) == name.text;
                     });
  bool belongs = false;
  if (!marks) {
    if (block_ == Block::kQuestion) belongs = question_line(text);
    if (block_ == Block::kOptions && !belongs) belongs = option_line(text);
    if (block_ == Block::kFiles) belongs = files_line(text);
  }
  if (belongs) {
    pending_.cut = pending_.cut || cut;
    blank_ = false;
  } else {
    emit();
  }
  return belongs;
}

// More text of the question, or the head of its options. Options may also come without a head.
bool MarkerScanner::question_line(std::string_view text) {
  const auto content = trimmed_line(text);
  if (is_options_header(content)) {
    block_ = Block::kOptions;
    return true;
  }
  if (list_marker(content) != 0) {
    block_ = Block::kOptions;
    return false;
  }
  if (blank_) return false;
  const std::size_t room = kTextCap - std::min(kTextCap, pending_.text.size() + 1);
  pending_.cut = pending_.cut || content.size() > room;
  if (room > 0) {
    if (!pending_.text.empty()) pending_.text += '\n';
    pending_.text += cut_end(content, room);
  }
  return true;
}

bool MarkerScanner::option_line(std::string_view text) {
  const auto content = trimmed_line(text);
  const std::size_t marker = list_marker(content);
  if (marker != 0) {
    if (pending_.options.size() < kMaxOptions) {
      pending_.options.emplace_back(cut_end(content.substr(marker), kTextCap / kMaxOptions));
      pending_.cut = pending_.cut || content.size() - marker > kTextCap / kMaxOptions;
    } else {
      pending_.cut = true;
    }
    return true;
  }
  // An option that goes on in the next line is indented there.
  if (pending_.options.empty() || blank_ || indent_of(text) == 0) return false;
  std::string& option = pending_.options.back();
  const std::size_t room =
      kTextCap / kMaxOptions - std::min(kTextCap / kMaxOptions, option.size() + 1);
  pending_.cut = pending_.cut || content.size() > room;
  if (room > 0) option.append(" ").append(cut_end(content, room));
  return true;
}

bool MarkerScanner::files_line(std::string_view text) {
  const auto content = trimmed_line(text);
  const std::size_t marker = list_marker(content);
  if (marker == 0) return false;
  if (pending_.files.size() >= kMaxFiles || content.size() - marker > 5000) {
    pending_.cut = true;  // no path is that long
  } else {
    pending_.files.push_back(file_change(content.substr(marker)));
  }
  return true;
}

void MarkerScanner::emit() {
  block_ = Block::kNone;
  blank_ = false;
  // The handler may throw, or feed something into another scanner; this one is consistent before.
  const Marker marker = std::exchange(pending_, Marker());
  if (handler_) handler_(marker);
}

}  // namespace moonlet
