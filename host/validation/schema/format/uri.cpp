// RFC 3986 URIs.
#include "host/validation/schema/format/format.h"

namespace moonlet::schema {
namespace {

constexpr auto kNone = std::string_view::npos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool is_among(char c, std::string_view set) { return set.find(c) != kNone; }
bool is_unreserved(char c) { return is_letter(c) || is_digit(c) || is_among(c, "-._~"); }
bool is_sub_delimiter(char c) { return is_among(c, "!$&'()*+,;="); }

// Every character is unreserved, a sub-delimiter, percent-encoded or among `more`.
bool only(std::string_view text, std::string_view more) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
      i += 2;
    } else if (!is_unreserved(c) && !is_sub_delimiter(c) && !is_among(c, more)) {
      return false;
    }
  }
  return true;
}

bool is_host(std::string_view text) {
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

bool is_authority(std::string_view text) {
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
  return name.size() < 2 ? name != "[" && is_host(name) : name != "[]" && is_host(name);
}

bool is_after_scheme(std::string_view text) {
  if (const auto hash = text.find('#'); hash != kNone) {
    if (!only(text.substr(hash + 1), ":@/?")) return false;
    text = text.substr(0, hash);
  }
  if (const auto mark = text.find('?'); mark != kNone) {
    if (!only(text.substr(mark + 1), ":@/?")) return false;
    text = text.substr(0, mark);
  }
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    const auto slash = text.find('/');
    if (!is_authority(text.substr(0, slash))) return false;
    text = slash == kNone ? std::string_view() : text.substr(slash);
  }
  return only(text, ":@/");
}

// Length of the scheme and its colon; 0 when there is none.
std::size_t scheme_of(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return 0;
  std::size_t i = 1;
  while (i < text.size() && (is_letter(text[i]) || is_digit(text[i]) || is_among(text[i], "+-.")))
    ++i;
  return i < text.size() && text[i] == ':' ? i + 1 : 0;
}

}  // namespace

bool is_uri(std::string_view text) {
  const auto length = scheme_of(text);
  return length > 0 && is_after_scheme(text.substr(length));
}

}  // namespace moonlet::schema
