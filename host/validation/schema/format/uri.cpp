#include "host/validation/schema/format/uri.h"

#include <algorithm>

#include "host/base/ascii.h"
#include "host/validation/schema/format/format.h"

namespace moonlet::schema {
namespace {

constexpr auto kNone = std::string_view::npos;

bool is_among(char c, std::string_view set) { return set.find(c) != kNone; }
bool is_unreserved(char c) { return is_letter_or_digit(c) || is_among(c, "-._~"); }
bool is_sub_delimiter(char c) { return is_among(c, "!$&'()*+,;="); }

// Returns true if a percent-encoded byte starts at `at`.
bool is_encoded(std::string_view text, std::size_t at) {
  return text.size() - at >= 3 && text[at] == '%' && is_hex(text[at + 1]) && is_hex(text[at + 2]);
}

// Returns true if each character is unreserved, a sub-delimiter, percent-encoded, or one of `more`.
bool only(std::string_view text, std::string_view more) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_encoded(text, i)) {
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
  if (inside.empty()) return false;
  if ((inside.front() | 0x20) != 'v') return is_ipv6(inside);
  const auto dot = inside.find('.');
  if (dot == kNone || dot < 2 || dot + 1 == inside.size()) return false;
  const auto version = inside.substr(1, dot - 1), address = inside.substr(dot + 1);
  return std::all_of(version.begin(), version.end(), is_hex) && address.find('%') == kNone &&
         only(address, ":");
}

bool is_authority(std::string_view text) {
  if (const auto at = text.find('@'); at != kNone) {
    if (!only(text.substr(0, at), ":")) return false;
    text.remove_prefix(at + 1);
  }
  const auto bracket = text.rfind(']');
  const auto colon = text.find(':', bracket == kNone ? 0 : bracket);
  if (colon != kNone) {
    const auto port = text.substr(colon + 1);
    if (!std::all_of(port.begin(), port.end(), is_digit)) return false;
  }
  return is_host(text.substr(0, colon));
}

bool is_scheme(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter_or_digit(c) || is_among(c, "+-."); });
}

struct UriParts {
  std::string_view scheme, authority, path, query, fragment;
  bool has_scheme = false, has_authority = false, has_query = false, has_fragment = false;
};

// Splits a URI reference into its parts (RFC 3986 section 3) without checking their characters.
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

std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    if (path.starts_with("../")) {
      path.remove_prefix(3);
    } else if (path.starts_with("./") || path.starts_with("/./")) {
      path.remove_prefix(2);
    } else if (path == "/.") {
      path = "/";
    } else if (path.starts_with("/../") || path == "/..") {
      path = path.size() == 3 ? std::string_view("/") : path.substr(3);
      out.resize(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
    } else if (path == "." || path == "..") {
      break;
    } else {
      const auto slash = path.find('/', 1);
      out += path.substr(0, slash);
      path = slash == kNone ? std::string_view() : path.substr(slash);
    }
  }
  return out;
}

std::string merge(const UriParts& base, std::string_view path) {
  if (base.has_authority && base.path.empty()) return "/" + std::string(path);
  const auto slash = base.path.rfind('/');
  if (slash == kNone) return std::string(path);
  return std::string(base.path.substr(0, slash + 1)) + std::string(path);
}

}  // namespace

bool is_uri(std::string_view text) {
  const UriParts parts = split_uri(text);
  return parts.has_scheme && (!parts.has_authority || is_authority(parts.authority)) &&
         only(parts.path, ":@/") && only(parts.query, ":@/?") && only(parts.fragment, ":@/?");
}

std::string resolve_uri(std::string_view base_text, std::string_view reference_text) {
  const UriParts base = split_uri(base_text);
  const UriParts reference = split_uri(reference_text);
  const bool from_base = !reference.has_scheme;
  const UriParts& root = from_base ? base : reference;
  const bool keeps_authority = from_base && !reference.has_authority;
  const UriParts& host = keeps_authority ? base : reference;

  std::string path;
  std::string_view query = reference.query;
  bool has_query = reference.has_query;
  if (!keeps_authority || reference.path.starts_with('/')) {
    path = without_dots(reference.path);
  } else if (!reference.path.empty()) {
    path = without_dots(merge(base, reference.path));
  } else {
    path = base.path;
    if (!has_query) {
      query = base.query;
      has_query = base.has_query;
    }
  }

  std::string out;
  if (root.has_scheme) out += std::string(root.scheme) + ":";
  if (host.has_authority) out += "//" + std::string(host.authority);
  out += path;
  if (has_query) out += "?" + std::string(query);
  if (reference.has_fragment) out += "#" + std::string(reference.fragment);
  return out;
}

SplitUri split_fragment(std::string_view uri) {
  const auto hash = uri.find('#');
  return {uri.substr(0, hash), hash == kNone ? std::string_view() : uri.substr(hash + 1)};
}

std::optional<std::string> decode_percent(std::string_view text) {
  const auto value_of = [](char c) { return is_digit(c) ? c - '0' : lower(c) - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (!is_encoded(text, i)) return std::nullopt;
    out += static_cast<char>(value_of(text[i + 1]) * 16 + value_of(text[i + 2]));
    i += 2;
  }
  return out;
}

}  // namespace moonlet::schema
