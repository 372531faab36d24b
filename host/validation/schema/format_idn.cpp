// RFC 5890 to 5893: internationalized host names, their punycode (RFC 3492), and the rules for
// characters that depend on their neighbours. There are no tables of normalization here, so of the
// letters that IDNA refuses because they decompose only the blocks that consist of them are
// refused.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "host/validation/schema/format.h"
#include "host/validation/schema/pattern.h"

namespace moonlet::schema {
namespace {

using Label = std::u32string;

constexpr char32_t kNonJoiner = 0x200C, kJoiner = 0x200D;

void append_utf8(std::string& out, char32_t c) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    tail(12), tail(6), tail(0);
  }
}

std::optional<Label> from_utf8(std::string_view text) {
  Label out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t bytes = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || text.size() - i < bytes) return {};
    char32_t value = bytes == 1 ? lead : lead & (0x7F >> bytes);
    for (std::size_t j = 1; j < bytes; ++j) {
      value = (value << 6) | static_cast<char32_t>(text[i + j] & 0x3F);
    }
    out += value;
    i += bytes;
  }
  return out;
}

// Classes of characters are asked of the tables that RE2 brings.
class CharClass {
 public:
  explicit CharClass(const char* set)
      : pattern_(Pattern::compile("^[" + std::string(set) + "]$", 1'000)) {}
  bool has(char32_t c) const {
    std::string text;
    append_utf8(text, c);
    return pattern_.ok() && pattern_->matches(text);
  }

 private:
  Result<Pattern> pattern_;
};

struct Classes {
  CharClass letters{"\\p{Ll}\\p{Lo}\\p{Lm}\\p{Mn}\\p{Mc}\\p{Nd}"};
  // Compatibility forms, conjoining Hangul, and the single exceptions of RFC 5892.
  CharClass refused{
      "\\u00aa\\u00b2-\\u00be\\u02b0-\\u02b8\\u0640\\u07fa\\u1100-\\u11ff\\u1d2c-\\u1d6a\\u2070-"
      "\\u209f"
      "\\u2100-\\u214f\\u2460-\\u24ff\\u302e\\u302f\\u3031-\\u3035\\u303b\\u3131-\\u318e\\u3200-"
      "\\u33ff"
      "\\ua960-\\ua97f\\ud7b0-\\ud7fb\\uf900-\\ufa0d\\ufa30-\\ufaff\\ufb00-\\ufdff\\ufe70-\\uffef"
      "\\u{1d400}-\\u{1d7ff}\\u{1ee00}-\\u{1eeff}\\u{2f800}-\\u{2fa1f}"};
  CharClass exceptions{"\\u00df\\u03c2\\u06fd\\u06fe\\u0f0b\\u3007"};
  CharClass marks{"\\p{M}"};
  CharClass spaceless{"\\p{Mn}"};
  CharClass greek{"\\p{Script=Greek}"};
  CharClass hebrew{"\\p{Script=Hebrew}"};
  CharClass japanese{"\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Han}"};
  CharClass joining{"\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Mandaic}"};
  // Those of them that join to the right only, or not at all.
  CharClass half_joining{
      "\\u0621-\\u0625\\u0627\\u0629\\u062f-\\u0632\\u0648\\u0671-\\u0677\\u0688-\\u0699\\u06c0"
      "\\u06c3-\\u06cb\\u06cd\\u06cf\\u06d2\\u06d3\\u06d5\\u06ee\\u06ef\\u0710\\u0715-"
      "\\u0719\\u071e"
      "\\u0728\\u072a\\u072c"};
  CharClass viramas{
      "\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d3b\\u0d3c\\u0d4d\\u0dca\\u0e3a"
      "\\u0eba\\u0f84\\u1039\\u103a\\u1714\\u1734\\u17d2\\u1a60\\u1b44\\u1baa\\u1bab\\u1bf2\\u1bf3"
      "\\u2d7f"
      "\\ua806\\ua8c4\\ua953\\ua9c0\\uaaf6\\uabed\\u{10a3f}\\u{11046}\\u{1107f}\\u{110b9}\\u{11133}"
      "\\u{11134}\\u{111c0}\\u{11235}\\u{112ea}\\u{1134d}\\u{11442}\\u{114c2}\\u{115bf}\\u{1163f}"
      "\\u{116b6}\\u{1172b}\\u{11839}\\u{11a34}\\u{11a47}\\u{11a99}\\u{11c3f}\\u{11d44}\\u{11d45}"};
};

// Made at the first use: few schemas ask, and the tables take milliseconds.
const Classes& classes() {
  static const Classes kClasses;
  return kClasses;
}

bool is_arabic_digit(char32_t c) { return c >= 0x660 && c <= 0x669; }
bool is_eastern_digit(char32_t c) { return c >= 0x6F0 && c <= 0x6F9; }

// --- punycode ---------------------------------------------------------------------------------

constexpr std::uint32_t kBase = 36, kLow = 1, kHigh = 26;

std::uint32_t threshold(std::uint32_t k, std::uint32_t bias) {
  return k <= bias ? kLow : k >= bias + kHigh ? kHigh : k - bias;
}

std::uint32_t adapted(std::uint32_t delta, std::uint32_t points, bool first) {
  delta = first ? delta / 700 : delta / 2;
  delta += delta / points;
  std::uint32_t k = 0;
  for (; delta > ((kBase - kLow) * kHigh) / 2; k += kBase) delta /= kBase - kLow;
  return k + (kBase - kLow + 1) * delta / (delta + 38);
}

std::optional<std::uint32_t> digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0') + 26;
  const int letter = c | 0x20;
  if (letter < 'a' || letter > 'z') return {};
  return static_cast<std::uint32_t>(letter - 'a');
}

std::optional<Label> decode_punycode(std::string_view text) {
  Label out;
  const auto dash = text.rfind('-');
  if (dash != std::string_view::npos) {
    for (char c : text.substr(0, dash)) out += static_cast<unsigned char>(c);
    text.remove_prefix(dash + 1);
  }
  std::uint64_t code = 128, at = 0;
  std::uint32_t bias = 72;
  while (!text.empty()) {
    const auto before = at;
    std::uint64_t weight = 1;
    for (std::uint32_t k = kBase;; k += kBase) {
      if (text.empty()) return {};
      const auto digit = digit_value(text.front());
      text.remove_prefix(1);
      if (!digit) return {};
      at += *digit * weight;
      const auto limit = threshold(k, bias);
      if (*digit < limit) break;
      weight *= kBase - limit;
      if (at > UINT32_MAX || weight > UINT32_MAX) return {};
    }
    const auto points = static_cast<std::uint32_t>(out.size() + 1);
    bias = adapted(static_cast<std::uint32_t>(at - before), points, before == 0);
    code += at / points;
    at %= points;
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
    out.insert(static_cast<std::size_t>(at++), 1, static_cast<char32_t>(code));
  }
  return out;
}

void append_number(std::string& out, std::uint64_t number, std::uint32_t bias) {
  const auto digit = [&](std::uint64_t value) {
    out += static_cast<char>(value < 26 ? 'a' + value : '0' + (value - 26));
  };
  for (std::uint32_t k = kBase;; k += kBase) {
    const auto limit = threshold(k, bias);
    if (number < limit) return digit(number);
    digit(limit + (number - limit) % (kBase - limit));
    number = (number - limit) / (kBase - limit);
  }
}

std::string encode_punycode(const Label& label) {
  std::string out;
  for (char32_t c : label) {
    if (c < 128) out += static_cast<char>(c);
  }
  const auto basic = out.size();
  auto handled = basic;
  if (basic > 0) out += '-';
  std::uint64_t code = 128, delta = 0;
  std::uint32_t bias = 72;
  while (handled < label.size()) {
    char32_t next = 0x10FFFF;
    for (char32_t c : label) {
      if (c >= code) next = std::min(next, c);
    }
    delta += (next - code) * (handled + 1);
    code = next;
    for (char32_t c : label) {
      if (c < code) ++delta;
      if (c != code) continue;
      append_number(out, delta, bias);
      bias = adapted(static_cast<std::uint32_t>(delta), static_cast<std::uint32_t>(handled + 1),
                     handled == basic);
      delta = 0;
      ++handled;
    }
    ++delta;
    ++code;
  }
  return out;
}

// --- what a label may hold --------------------------------------------------------------------

bool may_not_join(const Label& label, std::size_t at) {
  const auto& all = classes();
  if (at == 0) return false;
  if (all.viramas.has(label[at - 1])) return true;
  std::size_t before = at, after = at + 1;
  while (before > 0 && all.spaceless.has(label[before - 1])) --before;
  while (after < label.size() && all.spaceless.has(label[after])) ++after;
  if (before == 0 || after == label.size()) return false;
  const char32_t left = label[before - 1], right = label[after];
  return all.joining.has(left) && !all.half_joining.has(left) && all.joining.has(right);
}

// Rules of RFC 5892, appendix A; nothing where none is about this character.
std::optional<bool> fits_context(const Label& label, std::size_t at) {
  const auto& all = classes();
  const char32_t before = at > 0 ? label[at - 1] : 0;
  const char32_t after = at + 1 < label.size() ? label[at + 1] : 0;
  const char32_t c = label[at];
  switch (c) {
    case kNonJoiner:
      return may_not_join(label, at);
    case kJoiner:
      return all.viramas.has(before);
    case 0xB7:
      return before == 'l' && after == 'l';
    case 0x375:
      return all.greek.has(after);
    case 0x5F3:
    case 0x5F4:
      return all.hebrew.has(before);
    case 0x30FB:
      return std::any_of(label.begin(), label.end(), [&](char32_t other) {
        return other != 0x30FB && all.japanese.has(other);
      });
    default:
      break;
  }
  if (is_arabic_digit(c)) return std::none_of(label.begin(), label.end(), is_eastern_digit);
  if (is_eastern_digit(c)) return std::none_of(label.begin(), label.end(), is_arabic_digit);
  return std::nullopt;
}

bool is_allowed(char32_t c) {
  if (c < 128) return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  const auto& all = classes();
  if (all.exceptions.has(c)) return true;
  return all.letters.has(c) && !all.refused.has(c);
}

bool is_unicode_label(const Label& label) {
  if (label.empty() || label.front() == '-' || label.back() == '-') return false;
  if (label.size() >= 4 && label[2] == '-' && label[3] == '-') return false;
  if (classes().marks.has(label.front())) return false;
  if (encode_punycode(label).size() + 4 > 63) return false;
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (!fits_context(label, i).value_or(is_allowed(label[i]))) return false;
  }
  return true;
}

// --- directions: RFC 5893 ---------------------------------------------------------------------

enum class Direction { kLeft, kRight, kArabicNumber, kNumber, kMark, kNeutral };

Direction direction_of(char32_t c) {
  if ((c >= '0' && c <= '9') || is_eastern_digit(c)) return Direction::kNumber;
  if (is_arabic_digit(c) || c == 0x66B || c == 0x66C) return Direction::kArabicNumber;
  if (c == '-' || c == 0xB7 || c == 0x375 || c == 0x30FB) return Direction::kNeutral;
  if (c == kJoiner || c == kNonJoiner) return Direction::kNeutral;
  if (c >= 0x300 && classes().spaceless.has(c)) return Direction::kMark;
  const bool right = (c >= 0x590 && c <= 0x8FF) || (c >= 0xFB1D && c <= 0xFDFF) ||
                     (c >= 0xFE70 && c <= 0xFEFC) || (c >= 0x10800 && c <= 0x10FFF) ||
                     (c >= 0x1E800 && c <= 0x1EFFF);
  return right ? Direction::kRight : Direction::kLeft;
}

bool runs_right_to_left(const Label& label) {
  return std::any_of(label.begin(), label.end(), [](char32_t c) {
    const auto direction = direction_of(c);
    return direction == Direction::kRight || direction == Direction::kArabicNumber;
  });
}

bool keeps_direction(const Label& label) {
  const auto first = direction_of(label.front());
  if (first != Direction::kLeft && first != Direction::kRight) return false;
  const bool right = first == Direction::kRight;
  bool numbers = false, arabic_numbers = false;
  auto last = first;
  for (char32_t c : label) {
    const auto direction = direction_of(c);
    if (direction == (right ? Direction::kLeft : Direction::kRight)) return false;
    if (!right && direction == Direction::kArabicNumber) return false;
    numbers |= direction == Direction::kNumber;
    arabic_numbers |= direction == Direction::kArabicNumber;
    if (direction != Direction::kMark) last = direction;
  }
  return last != Direction::kNeutral && !(numbers && arabic_numbers);
}

// --- names --------------------------------------------------------------------------------------

bool is_separator(char32_t c) { return c == '.' || c == 0x3002 || c == 0xFF0E || c == 0xFF61; }

bool is_ascii_label(const Label& label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
    return false;
  return std::all_of(label.begin(), label.end(), [](char32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_encoded(const Label& label) {
  return label.size() >= 4 && (label[0] | 0x20) == 'x' && (label[1] | 0x20) == 'n' &&
         label[2] == '-' && label[3] == '-';
}

// The label as it is read, when it may be one.
std::optional<Label> read_label(const Label& label) {
  const bool ascii = std::all_of(label.begin(), label.end(), [](char32_t c) { return c < 128; });
  if (!ascii) return is_unicode_label(label) ? std::optional(label) : std::nullopt;
  if (!is_ascii_label(label)) return {};
  if (!is_encoded(label)) return label;
  const std::string code(label.begin() + 4, label.end());
  const auto decoded = decode_punycode(code);
  if (!decoded || !is_unicode_label(*decoded) || encode_punycode(*decoded) != code) return {};
  const bool needless =
      std::all_of(decoded->begin(), decoded->end(), [](char32_t c) { return c < 128; });
  return needless ? std::nullopt : decoded;
}

std::size_t encoded_size(const Label& label) {
  const bool ascii = std::all_of(label.begin(), label.end(), [](char32_t c) { return c < 128; });
  return ascii ? label.size() : encode_punycode(label).size() + 4;
}

}  // namespace

bool is_idn_hostname(std::string_view text) {
  const auto name = from_utf8(text);
  if (!name) return false;
  std::vector<Label> labels;
  std::size_t size = 0;
  for (auto start = name->begin();;) {
    const auto end = std::find_if(start, name->end(), is_separator);
    auto label = read_label(Label(start, end));
    if (!label) return false;
    size += encoded_size(*label) + 1;
    labels.push_back(std::move(*label));
    if (end == name->end()) break;
    start = std::next(end);
  }
  const bool mixed = std::any_of(labels.begin(), labels.end(), runs_right_to_left);
  return size - 1 <= 253 && (!mixed || std::all_of(labels.begin(), labels.end(), keeps_direction));
}

}  // namespace moonlet::schema
