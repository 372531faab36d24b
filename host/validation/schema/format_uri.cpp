// RFC 3986 and 3987 references, RFC 6570 templates, RFC 6901 pointers.
#include <cstdint>

#include "host/validation/schema/format.h"

namespace moonlet::schema {
namespace {

constexpr auto kNone = std::string_view::npos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool is_among(char c, std::string_view set) { return set.find(c) != kNone; }
bool is_unreserved(char c) { return is_letter(c) || is_digit(c) || is_among(c, "-._~"); }
bool is_sub_delimiter(char c) { return is_among(c, "!$&'()*+,;="); }

// The code point that starts at `at`, and its length in `bytes`.
char32_t code_point(std::string_view text, std::size_t at, std::size_t& bytes) {
  const auto lead = static_cast<unsigned char>(text[at]);
  bytes = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (bytes > text.size() - at) bytes = text.size() - at;
  if (bytes == 1) return lead;
  char32_t value = lead & (0x7F >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    value = (value << 6) | static_cast<char32_t>(text[at + i] & 0x3F);
  }
  return value;
}

bool is_private(char32_t c) {
  return (c >= 0xE000 && c <= 0xF8FF) || (c >= 0xF0000 && (c & 0xFFFF) <= 0xFFFD);
}

// `ucschar` of RFC 3987.
bool is_beyond_ascii(char32_t c) {
  if (c < 0x10000) {
    return (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xF900 && c <= 0xFDCF) ||
           (c >= 0xFDF0 && c <= 0xFFEF);
  }
  return c < 0xF0000 && (c & 0xFFFF) <= 0xFFFD && !(c >= 0xE0000 && c < 0xE1000);
}

struct Grammar {
  bool international;

  // Every character is unreserved, a sub-delimiter, percent-encoded or among `more`.
  bool only(std::string_view text, std::string_view more, bool with_private = false) const {
    for (std::size_t i = 0; i < text.size();) {
      const char c = text[i];
      if (c == '%') {
        if (text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
        i += 3;
      } else if (is_unreserved(c) || is_sub_delimiter(c) || is_among(c, more)) {
        ++i;
      } else {
        if (!international || !(c & 0x80)) return false;
        std::size_t bytes = 0;
        const auto point = code_point(text, i, bytes);
        if (!is_beyond_ascii(point) && !(with_private && is_private(point))) return false;
        i += bytes;
      }
    }
    return true;
  }

  bool host(std::string_view text) const {
    if (!text.starts_with('[')) return only(text, "");
    if (!text.ends_with(']')) return false;
    const auto inside = text.substr(1, text.size() - 2);
    if ((inside.front() | 0x20) != 'v') return is_ipv6(inside);
    const auto dot = inside.find('.');
    if (dot == kNone || dot < 2 || dot + 1 == inside.size()) return false;
    for (char c : inside.substr(1, dot - 1)) {
      if (!is_hex(c)) return false;
    }
    for (char c : inside.substr(dot + 1)) {
      if (!is_unreserved(c) && !is_sub_delimiter(c) && c != ':') return false;
    }
    return true;
  }

  bool authority(std::string_view text) const {
    if (const auto at = text.find('@'); at != kNone) {
      if (!only(text.substr(0, at), ":")) return false;
      text.remove_prefix(at + 1);
    }
    const auto bracket = text.rfind(']');
    const auto colon = text.find(':', bracket == kNone ? 0 : bracket);
    if (colon != kNone) {
      for (char c : text.substr(colon + 1)) {
        if (!is_digit(c)) return false;
      }
    }
    const auto name = text.substr(0, colon);
    return name.size() < 2 ? name != "[" && host(name) : name != "[]" && host(name);
  }

  bool after_scheme(std::string_view text) const {
    if (const auto hash = text.find('#'); hash != kNone) {
      if (!only(text.substr(hash + 1), ":@/?")) return false;
      text = text.substr(0, hash);
    }
    if (const auto mark = text.find('?'); mark != kNone) {
      if (!only(text.substr(mark + 1), ":@/?", /*with_private=*/true)) return false;
      text = text.substr(0, mark);
    }
    if (text.starts_with("//")) {
      text.remove_prefix(2);
      const auto slash = text.find('/');
      if (!authority(text.substr(0, slash))) return false;
      text = slash == kNone ? std::string_view() : text.substr(slash);
    }
    return only(text, ":@/");
  }

  static std::size_t scheme(std::string_view text) {
    if (text.empty() || !is_letter(text[0])) return 0;
    std::size_t i = 1;
    while (i < text.size() && (is_letter(text[i]) || is_digit(text[i]) || is_among(text[i], "+-.")))
      ++i;
    return i < text.size() && text[i] == ':' ? i + 1 : 0;
  }

  bool absolute(std::string_view text) const {
    const auto length = scheme(text);
    return length > 0 && after_scheme(text.substr(length));
  }

  bool reference(std::string_view text) const {
    if (scheme(text) > 0) return absolute(text);
    // Without a scheme the first segment has no colon, or it would read as one.
    const auto first = text.substr(0, text.find_first_of("/?#"));
    return first.find(':') == kNone && after_scheme(text);
  }
};

// Length of a variable name at the front of `text`; 0 when it is none.
std::size_t variable_name(std::string_view text) {
  std::size_t i = 0;
  bool after_char = false;
  while (i < text.size()) {
    if (is_letter(text[i]) || is_digit(text[i]) || text[i] == '_') {
      ++i;
      after_char = true;
    } else if (text[i] == '%') {
      if (text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return 0;
      i += 3;
      after_char = true;
    } else if (text[i] == '.' && after_char) {
      ++i;
      after_char = false;
    } else {
      break;
    }
  }
  return after_char ? i : 0;
}

bool is_variable(std::string_view text) {
  const auto name = variable_name(text);
  if (name == 0) return false;
  text.remove_prefix(name);
  if (text.empty() || text == "*") return true;
  if (text[0] != ':' || text.size() < 2 || text.size() > 5 || text[1] == '0') return false;
  for (char c : text.substr(1)) {
    if (!is_digit(c)) return false;
  }
  return true;
}

bool is_expression(std::string_view text) {
  if (!text.empty() && is_among(text[0], "+#./;?&=,!@|")) text.remove_prefix(1);
  while (true) {
    const auto comma = text.find(',');
    if (!is_variable(text.substr(0, comma))) return false;
    if (comma == kNone) return true;
    text.remove_prefix(comma + 1);
  }
}

// Pointers need not be percent-encoded, only '~' is special.
bool has_right_tildes(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1'))) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool is_uri(std::string_view text) { return Grammar{false}.absolute(text); }
bool is_uri_reference(std::string_view text) { return Grammar{false}.reference(text); }
bool is_iri(std::string_view text) { return Grammar{true}.absolute(text); }
bool is_iri_reference(std::string_view text) { return Grammar{true}.reference(text); }

bool is_uri_template(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '{') {
      const auto end = text.find('}', i);
      if (end == kNone || !is_expression(text.substr(i + 1, end - i - 1))) return false;
      i = end + 1;
    } else if (c == '%') {
      if (text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
      i += 3;
    } else if (c & 0x80) {
      std::size_t bytes = 0;
      const auto point = code_point(text, i, bytes);
      if (!is_beyond_ascii(point) && !is_private(point)) return false;
      i += bytes;
    } else {
      if (c <= ' ' || c == 0x7F || is_among(c, "\"<>\\^`|}")) return false;
      ++i;
    }
  }
  return true;
}

bool is_json_pointer(std::string_view text) {
  return text.empty() || (text[0] == '/' && has_right_tildes(text));
}

bool is_relative_json_pointer(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits == 0 || (digits > 1 && text[0] == '0')) return false;
  const auto rest = text.substr(digits);
  return rest == "#" || is_json_pointer(rest);
}

}  // namespace moonlet::schema
