#include "host/validation/schema/format/uri.h"

#include "host/base/ascii.h"
#include "host/validation/schema/format/format.h"

namespace moonlet::schema {
namespace {

constexpr auto kNone = std::string_view::npos;

bool is_among(char c, std::string_view set) { return set.find(c) != kNone; }
bool is_unreserved(char c) { return is_letter(c) || is_digit(c) || is_among(c, "-._~"); }
bool is_sub_delimiter(char c) { return is_among(c, "!$&'()*+,;="); }

// Returns true if each character is unreserved, a sub-delimiter, percent-encoded, or one of `more`.
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

bool is_scheme(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return false;
  for (char c : text) {
    if (!is_letter(c) && !is_digit(c) && !is_among(c, "+-.")) return false;
  }
  return true;
}

}  // namespace

UriParts split_uri(std::string_view uri) {
  UriParts parts;
  if (const auto hash = uri.find('#'); hash != kNone) {
    parts.has_fragment = true;
    parts.fragment = uri.substr(hash + 1);
    uri = uri.substr(0, hash);
  }
  if (const auto mark = uri.find('?'); mark != kNone) {
    parts.has_query = true;
    parts.query = uri.substr(mark + 1);
    uri = uri.substr(0, mark);
  }
  if (const auto colon = uri.find(':'); colon != kNone && is_scheme(uri.substr(0, colon))) {
    parts.has_scheme = true;
    parts.scheme = uri.substr(0, colon);
    uri.remove_prefix(colon + 1);
  }
  if (uri.starts_with("//")) {
    parts.has_authority = true;
    uri.remove_prefix(2);
    const auto slash = uri.find('/');
    parts.authority = uri.substr(0, slash);
    uri = slash == kNone ? std::string_view() : uri.substr(slash);
  }
  parts.path = uri;
  return parts;
}

bool is_uri(std::string_view text) {
  const UriParts parts = split_uri(text);
  return parts.has_scheme && (!parts.has_authority || is_authority(parts.authority)) &&
         only(parts.path, ":@/") && only(parts.query, ":@/?") && only(parts.fragment, ":@/?");
}

}  // namespace moonlet::schema
