#include "host/validation/schema/uri.h"

#include "host/base/ascii.h"
#include "host/validation/schema/format/uri.h"

namespace moonlet::schema {
namespace {

constexpr auto kNone = std::string_view::npos;

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
    if (text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return std::nullopt;
    out += static_cast<char>(value_of(text[i + 1]) * 16 + value_of(text[i + 2]));
    i += 2;
  }
  return out;
}

}  // namespace moonlet::schema
