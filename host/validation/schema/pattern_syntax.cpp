#include "host/validation/schema/pattern_syntax.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

namespace moonlet::schema {
namespace {

constexpr char32_t kLast = 0x10FFFF;
constexpr const char* kNothing = "[^\\x{0}-\\x{10FFFF}]";
constexpr const char* kAnything = "[\\x{0}-\\x{10FFFF}]";
constexpr const char* kNoLineEnd = "[^\\n\\r\\x{2028}\\x{2029}]";
// White space and its complement as ECMA-262 lists them, as the inside of a class.
constexpr const char* kSpace =
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"
    "\\x{3000}\\x{feff}";
constexpr const char* kNotSpace =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
    "\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}";

struct Alias {
  std::string_view name, re2;
};
// The long names of the general categories; the short ones are RE2's own.
constexpr Alias kCategories[] = {
    {"Letter", "L"},
    {"Cased_Letter", "LC"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Format", "Cf"},
    {"Private_Use", "Co"},
};
constexpr std::string_view kShortCategories[] = {
    "C",  "Cc", "Cf", "Co", "L",  "Ll", "Lm", "Lo", "Lt", "Lu", "M",  "Mc",
    "Me", "Mn", "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Pe", "Pf", "Pi",
    "Po", "Ps", "S",  "Sc", "Sk", "Sm", "So", "Z",  "Zl", "Zp", "Zs"};

std::string hex(char32_t c) {
  char text[16];
  std::snprintf(text, sizeof text, "\\x{%x}", static_cast<unsigned>(c));
  return text;
}

bool is_ascii_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_surrogate(char32_t c) { return c >= 0xD800 && c <= 0xDFFF; }
int hex_digit(char c) {
  if (is_digit(static_cast<unsigned char>(c))) return c - '0';
  const int letter = c | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

class Translator {
 public:
  explicit Translator(std::string_view source) : source_(source) {}

  Result<Translation> run() {
    while (at_ < source_.size() && !error_) step();
    if (open_groups_ > 0) fail("a group '(' is never closed");
    if (error_) return Error{ErrorKind::kInvalid, *error_, "", ""};
    return Translation{std::move(out_), std::move(unsupported_)};
  }

 private:
  bool ends() const { return at_ >= source_.size(); }
  char peek() const { return ends() ? '\0' : source_[at_]; }
  bool take(std::string_view text) {
    if (source_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  void fail(std::string what) {
    if (!error_) error_ = std::move(what);
  }
  void no_support(std::string what) {
    if (unsupported_.empty()) unsupported_ = std::move(what);
  }

  // One code point; an invalid byte is an error, for RE2 would refuse the whole text anyway.
  char32_t next_char() {
    const auto lead = static_cast<unsigned char>(source_[at_]);
    const int extra = lead < 0x80 ? 0 : lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC2 ? 1 : -1;
    if (extra < 0 || at_ + static_cast<std::size_t>(extra) >= source_.size()) {
      fail("it is not valid UTF-8");
      at_ = source_.size();
      return 0;
    }
    char32_t value = extra == 0 ? lead : lead & (0x3F >> extra);
    for (int i = 1; i <= extra; ++i) {
      value = (value << 6) | (source_[at_ + static_cast<std::size_t>(i)] & 0x3F);
    }
    at_ += static_cast<std::size_t>(extra) + 1;
    return value;
  }

  void emit(char32_t c) {
    if (is_ascii_letter(c) || is_digit(c)) {
      out_ += static_cast<char>(c);
    } else if (is_surrogate(c)) {
      no_support("half of a surrogate pair; write the whole character");
    } else {
      out_ += hex(c);
    }
  }

  void step() {
    const bool after_atom = std::exchange(after_atom_, true);
    switch (peek()) {
      case '\\':
        ++at_;
        return escape();
      case '[':
        ++at_;
        return char_class();
      case '(':
        ++at_;
        ++open_groups_;
        after_atom_ = false;
        return group();
      case ')':
        if (open_groups_-- == 0) return fail("a ')' closes no group");
        break;
      case '.':
        ++at_;
        out_ += kNoLineEnd;
        return;
      case '*':
      case '+':
      case '?':
        return quantifier(after_atom, std::string(1, source_[at_++]));
      case '{':
        return braces(after_atom);
      case '|':
      case '^':
      case '$':
        after_atom_ = false;
        break;
      default:
        return emit(next_char());
    }
    out_ += source_[at_++];
  }

  void quantifier(bool after_atom, const std::string& text) {
    if (!after_atom) return fail("a quantifier has nothing before it to repeat");
    out_ += text;
    if (take("?")) out_ += '?';
    after_atom_ = false;
  }

  // `{` that starts no quantifier is a plain character in web browsers; RE2 agrees.
  void braces(bool after_atom) {
    std::size_t end = at_ + 1, digits = 0;
    const auto number = [&] {
      std::uint64_t value = 0;
      for (digits = 0; end < source_.size() && is_digit(static_cast<unsigned char>(source_[end]));
           ++end, ++digits) {
        value = std::min<std::uint64_t>(value * 10 + static_cast<std::uint64_t>(source_[end] - '0'),
                                        1'000'000'000);
      }
      return value;
    };
    const auto least = number();
    bool complete = digits > 0;
    std::uint64_t most = least;
    if (complete && end < source_.size() && source_[end] == ',') {
      ++end;
      most = number();
      if (digits == 0) most = least;
    }
    complete = complete && end < source_.size() && source_[end] == '}';
    if (!complete) {
      ++at_;
      return emit('{');
    }
    if (most < least) return fail("a quantifier has its numbers out of order");
    const std::string text(source_.substr(at_, end + 1 - at_));
    at_ = end + 1;
    if (most > 1000) no_support("a repetition of more than 1000; use minLength and maxLength");
    quantifier(after_atom, most > 1000 ? "*" : text);
  }

  void group() {
    if (peek() != '?') {
      out_ += "(?:";  // nothing is ever captured: only whether it matches is asked
      return;
    }
    if (take("?:")) {
      out_ += "(?:";
    } else if (take("?=") || take("?!")) {
      no_support("a lookahead, (?= or (?!; state both conditions apart, with allOf and not");
      out_ += "(?:";
    } else if (take("?<=") || take("?<!")) {
      no_support("a lookbehind, (?<= or (?<!; state both conditions apart, with allOf and not");
      out_ += "(?:";
    } else if (take("?<")) {
      if (!group_name()) return fail("a group has a wrong name");
      out_ += "(?:";
    } else {
      fail("'(" + std::string(source_.substr(at_, 2)) +
           "' starts no group of ECMA-262; flags such as (?i) are not part of it");
    }
  }

  bool group_name() {
    const auto start = at_;
    while (!ends() && peek() != '>') ++at_;
    if (ends() || at_ == start || is_digit(static_cast<unsigned char>(source_[start]))) {
      return false;
    }
    ++at_;
    return true;
  }

  void escape() {
    if (ends()) return fail("it ends with a lone backslash");
    const char c = peek();
    if (c == 'b' || c == 'B') {
      out_ += std::string("\\") + c;
      ++at_;
      after_atom_ = false;
    } else if (c == 'k') {
      ++at_;
      if (!take("<") || !group_name()) return fail("\\k takes the name of a group, \\k<name>");
      back_reference();
    } else if (c >= '1' && c <= '9') {
      while (is_digit(static_cast<unsigned char>(peek()))) ++at_;
      back_reference();
    } else if (const auto set = class_escape()) {
      out_ += "[" + *set + "]";
    } else if (const auto value = char_escape()) {
      emit(*value);
    }
  }

  void back_reference() {
    no_support("a back-reference, \\1 or \\k<name>");
    out_ += "(?:)";
  }

  // \d, \s, \w, \p and their opposites, as the inside of a class.
  std::optional<std::string> class_escape() {
    switch (peek()) {
      case 'd':
      case 'D':
      case 'w':
      case 'W':
        return std::string("\\") + source_[at_++];
      case 's':
        ++at_;
        return kSpace;
      case 'S':
        ++at_;
        return kNotSpace;
      case 'p':
      case 'P':
        return property();
      default:
        return std::nullopt;
    }
  }

  std::optional<std::string> property() {
    const bool negated = source_[at_++] == 'P';
    const auto end = source_.find('}', at_);
    if (peek() != '{' || end == std::string_view::npos) {
      fail("\\p takes a property in braces, \\p{L}");
      return std::nullopt;
    }
    const auto full = source_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    auto name = full;
    for (const char* lead :
         {"General_Category=", "gc=", "Script=", "sc=", "Script_Extensions=", "scx="}) {
      if (name.starts_with(lead)) name.remove_prefix(std::strlen(lead));
    }
    const bool is_script = name.size() < full.size() && (full[0] == 'S' || full[0] == 's');
    if (name == "ASCII" || name == "Any") {
      const std::string last = name == "Any" ? hex(kLast) : "\\x{7f}";
      if (!negated) return "\\x{0}-" + last;
      return name == "Any" ? std::string("^\\x{0}-") + last : "\\x{80}-" + hex(kLast);
    }
    if (!is_script) {
      for (const auto& alias : kCategories) {
        if (alias.name == name) name = alias.re2;
      }
      if (name == "LC") {
        if (!negated) return "\\p{Lu}\\p{Ll}\\p{Lt}";
        no_support("\\P{LC}");
        return "\\P{L}";
      }
      for (const auto category : kShortCategories) {
        if (category == name)
          return std::string(negated ? "\\P{" : "\\p{") + std::string(name) + "}";
      }
      no_support("the property \\p{" + std::string(full.substr(0, 40)) +
                 "}; general categories and Script=… are known");
      return "\\p{L}";
    }
    for (char c : name) {
      if (!is_ascii_letter(static_cast<unsigned char>(c)) && c != '_') {
        fail("a script has a wrong name");
        return std::nullopt;
      }
    }
    return std::string(negated ? "\\P{" : "\\p{") + std::string(name) + "}";
  }

  std::optional<char32_t> hex_number(std::size_t digits) {
    if (source_.size() - at_ < digits) return std::nullopt;
    char32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const int digit = hex_digit(source_[at_ + i]);
      if (digit < 0) return std::nullopt;
      value = value * 16 + static_cast<char32_t>(digit);
    }
    at_ += digits;
    return value;
  }

  std::optional<char32_t> unicode_escape() {
    if (take("{")) {
      char32_t value = 0;
      const auto start = at_;
      while (hex_digit(peek()) >= 0 && value <= kLast) {
        value = value * 16 + static_cast<char32_t>(hex_digit(source_[at_++]));
      }
      if (at_ == start || value > kLast || !take("}")) return std::nullopt;
      return value;
    }
    const auto high = hex_number(4);
    if (!high || *high < 0xD800 || *high > 0xDBFF || !take("\\u")) return high;
    const auto low = hex_number(4);
    if (low && *low >= 0xDC00 && *low <= 0xDFFF) {
      return 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00);
    }
    at_ -= low ? 6 : 2;
    return high;
  }

  std::optional<char32_t> char_escape() {
    if (error_) return std::nullopt;
    const char c = source_[at_++];
    switch (c) {
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'v':
        return '\v';
      case 'f':
        return '\f';
      case 'r':
        return '\r';
      case '0':
        if (is_digit(static_cast<unsigned char>(peek()))) break;
        return 0;
      case 'c':
        if (is_ascii_letter(static_cast<unsigned char>(peek()))) return source_[at_++] % 32;
        break;
      case 'x':
        if (const auto value = hex_number(2)) return value;
        break;
      case 'u':
        if (const auto value = unicode_escape()) return value;
        break;
      default:
        // Letters are kept for the future by ECMA-262; the needless "\-" of many hands is not.
        if (is_ascii_letter(static_cast<unsigned char>(c)) ||
            is_digit(static_cast<unsigned char>(c))) {
          break;
        }
        --at_;
        return next_char();
    }
    fail(std::string("'\\") + c + "' is no escape of ECMA-262 here");
    return std::nullopt;
  }

  void char_class() {
    if (take("]")) {
      out_ += kNothing;
      return;
    }
    if (take("^]")) {
      out_ += kAnything;
      return;
    }
    out_ += '[';
    if (take("^")) out_ += '^';
    while (!ends() && peek() != ']' && !error_) class_item();
    if (!take("]")) return fail("a class '[' is never closed");
    out_ += ']';
  }

  void class_item() {
    const auto low = class_atom();
    if (peek() != '-' || at_ + 1 >= source_.size() || source_[at_ + 1] == ']') {
      if (low) class_char(*low);
      return;
    }
    if (error_) return;
    ++at_;
    const auto high = class_atom();
    if (error_) return;
    if (!low || !high) {
      // "[\w-.]": web browsers take the dash for itself.
      if (low) class_char(*low);
      class_char('-');
      if (high) class_char(*high);
      return;
    }
    if (*high < *low) return fail("a range of a class has its ends out of order");
    class_range(*low, *high);
  }

  // A character, or nothing when a whole set such as \d was written out.
  std::optional<char32_t> class_atom() {
    if (peek() != '\\') return next_char();
    ++at_;
    if (ends()) {
      fail("it ends with a lone backslash");
      return std::nullopt;
    }
    if (take("b")) return '\b';
    if (peek() == 'P' && source_.substr(at_).starts_with("P{Any}")) {
      at_ += 6;
      return std::nullopt;
    }
    if (const auto set = class_escape()) {
      out_ += *set;
      return std::nullopt;
    }
    return char_escape();
  }

  void class_char(char32_t c) { class_range(c, c); }

  void class_range(char32_t low, char32_t high) {
    if (is_surrogate(low) || is_surrogate(high)) {
      no_support("half of a surrogate pair in a class; write \\u{1F600} for such characters");
      out_ += "a";
      return;
    }
    out_ += hex(low);
    if (high != low) out_ += "-" + hex(high);
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::string out_;
  std::string unsupported_;
  std::size_t open_groups_ = 0;
  bool after_atom_ = false;  // what stands before may be repeated
  std::optional<std::string> error_;
};

}  // namespace

Result<Translation> translate_pattern(std::string_view source) { return Translator(source).run(); }

}  // namespace moonlet::schema
