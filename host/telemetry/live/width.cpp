#include "host/telemetry/live/width.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>

#include "host/base/text.h"

namespace moonlet {

namespace {

std::uint32_t code_point(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  std::uint32_t code = sequence.size() == 1 ? lead : lead & (0x7fU >> sequence.size());
  for (std::size_t i = 1; i < sequence.size(); ++i) {
    code = code << 6 | (static_cast<unsigned char>(sequence[i]) & 0x3f);
  }
  return code;
}

// The emoji variation selector makes some terminals draw the preceding character in two columns. It
// counts as a column of its own, so that the line is never too long.
constexpr std::uint32_t kPicture = 0xfe0f;

/// `Walk` measures the part of a text that fits, in bytes and in columns.
struct Walk {
  std::size_t bytes = 0;
  int columns = 0;
};

Walk walk(std::string_view text, int columns) {
  Walk at;
  int last = 0;
  while (at.bytes < text.size()) {
    const std::size_t size = utf8_sequence(text.substr(at.bytes));
    int own = 1;
    if (size != 0) {
      const std::uint32_t code = code_point(text.substr(at.bytes, size));
      own = code == kPicture && last == 1 ? 1 : code_point_width(code);
    }
    if (at.columns + own > columns) return at;
    if (own > 0) last = own;
    at.columns += own;
    at.bytes += std::max<std::size_t>(size, 1);
  }
  return at;
}

constexpr int kEndless = 1 << 30;

}  // namespace

int code_point_width(std::uint32_t code) {
  // Hangul vowels and final consonants add no column, because they join the initial consonant.
  if ((code >= 0x1160 && code <= 0x11ff) || (code >= 0xd7b0 && code <= 0xd7fb)) return 0;
  const auto point = static_cast<utf8proc_int32_t>(code);
  // Most terminals give a spacing mark (Mc) a column of its own.
  if (utf8proc_category(point) == UTF8PROC_CATEGORY_MC) return 1;
  return utf8proc_charwidth(point);
}

int display_width(std::string_view text) { return walk(text, kEndless).columns; }

std::string cut_to_width(std::string_view text, int columns, std::string_view sign) {
  if (columns <= 0) return {};
  const Walk whole = walk(text, columns);
  if (whole.bytes == text.size()) return std::string(text);
  const int room = columns - display_width(sign);
  if (room < 0) return std::string(text.substr(0, whole.bytes));
  return std::string(text.substr(0, walk(text, room).bytes)).append(sign);
}

std::string cut_middle_to_width(std::string_view text, int columns, std::string_view sign) {
  const int total = display_width(text);
  if (total <= columns) return std::string(text);
  const int room = columns - display_width(sign);
  if (room < 2) return cut_to_width(text, columns, sign);
  const std::string_view head = text.substr(0, walk(text, room / 3).bytes);
  // Measure the tail from the front, because a combining mark belongs to the character before it.
  const int before = total - (room - display_width(head));
  Walk skipped = walk(text, before);
  if (skipped.columns < before) skipped = walk(text, before + 1);  // do not split a wide character
  const std::string_view tail = text.substr(skipped.bytes);
  return std::string(head).append(sign).append(tail);
}

std::vector<std::string> wrap_to_width(std::string_view text, int columns) {
  std::vector<std::string> lines;
  while (true) {
    std::size_t end = walk(text, columns).bytes;
    if (end >= text.size()) break;
    // A character that is wider than the line gets a line of its own.
    end = std::max(end, std::max<std::size_t>(utf8_sequence(text), 1));
    const std::size_t blank = text[end] == ' ' ? end : text.rfind(' ', end);
    const bool in_words = blank != std::string_view::npos &&
                          text.substr(0, blank).find_first_not_of(' ') != std::string_view::npos;
    if (in_words) end = blank;
    lines.emplace_back(text.substr(0, in_words ? text.find_last_not_of(' ', end) + 1 : end));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return lines;
  }
  lines.emplace_back(text);
  return lines;
}

}  // namespace moonlet
