#include "host/web/access.h"

#include <algorithm>

#include "host/base/ascii.h"
#include "host/base/digest.h"

namespace moonlet::web {

namespace {

/// Refuse a request in which one of these headers occurs twice, because a proxy and this server
/// could use different values.
constexpr std::string_view kOnce[] = {"host",         "origin",         "cookie",
                                      "content-type", "content-length", "transfer-encoding",
                                      "x-moonlet",    "sec-fetch-site", "last-event-id"};

bool same_name(std::string_view a, std::string_view b) { return lower(a) == lower(b); }

/// Compares in constant time, so that the duration reveals nothing about the secret.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned char differs = a.size() != b.size();
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    differs |= static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return differs == 0;
}

/// Returns true if the path is in its normal form. Other spellings of a path could bypass a check.
bool is_normal(std::string_view path) {
  if (path.empty() || path[0] != '/' || path.size() > 200) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    const bool is_plain = is_letter_or_digit(c) || c == '-' || c == '_' || c == '.' || c == '/';
    const bool begins_part = i > 0 && path[i - 1] == '/';
    if (!is_plain || (begins_part && (c == '/' || c == '.'))) return false;
  }
  return true;
}

std::string_view port_of(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos) return {};
  return host.substr(colon + 1);
}

}  // namespace

std::string_view RequestHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (same_name(key, name)) return value;
  }
  return {};
}

Access::Access(int port, std::string token)
    : port_(port), token_(std::move(token)), cookie_(sha256_hex("moonlet-web cookie " + token_)) {}

bool Access::is_token(std::string_view text) const { return same_secret(text, token_); }

bool Access::is_own_host(std::string_view host) const {
  const std::string_view port = port_of(host);
  std::string_view name = host;
  if (!port.empty()) name.remove_suffix(port.size() + 1);
  if (name != "127.0.0.1" && name != "localhost" && name != "[::1]") return false;
  if (port_ != 0) return port == std::to_string(port_);
  return port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit);
}

std::string Access::cookie_name(const RequestHead& head) const {
  // All ports of a host share their cookies, so put the port into the cookie's name.
  const std::string_view port = port_of(head.header("host"));
  return "moonlet-" + (port.empty() ? "80" : std::string(port));
}

bool Access::has_cookie(const RequestHead& head) const {
  const std::string name = cookie_name(head);
  std::string_view rest = head.header("cookie");
  while (!rest.empty()) {
    const auto end = rest.find(';');
    std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    if (same_secret(pair.substr(equals + 1), cookie_)) return true;
  }
  return false;
}

std::string Access::set_cookie(const RequestHead& head) const {
  return cookie_name(head) + "=" + cookie_ + "; Path=/; HttpOnly; SameSite=Strict";
}

std::optional<Refusal> Access::check(const RequestHead& head) const {
  if (!is_normal(head.path)) return Refusal{400, "the path is not in its normal form"};
  for (const std::string_view name : kOnce) {
    const auto count =
        std::count_if(head.headers.begin(), head.headers.end(),
                      [&](const auto& entry) { return same_name(entry.first, name); });
    if (count > 1) return Refusal{400, "the header " + std::string(name) + " occurs twice"};
  }
  const std::string_view host = head.header("host");
  if (!is_own_host(host)) return Refusal{403, "this server has another host name"};
  if (!head.header("transfer-encoding").empty()) {
    return Refusal{411, "send a content-length in place of a transfer-encoding"};
  }
  const std::string_view origin = head.header("origin");
  if (!origin.empty() && origin != "http://" + std::string(host)) {
    return Refusal{403, "the request comes from another origin"};
  }
  const std::string_view site = head.header("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") {
    return Refusal{403, "the request comes from another site"};
  }
  const bool is_change = head.method == "POST";
  if (!is_change && head.method != "GET") return Refusal{405, "use GET or POST"};
  if (is_change) {
    const std::string_view type = head.header("content-type");
    if (type != "application/json") return Refusal{415, "send application/json"};
    if (head.header("x-moonlet") != "1") return Refusal{403, "send the header X-Moonlet: 1"};
    if (head.header("content-length").empty()) return Refusal{411, "send a content-length"};
  }
  const bool is_open = head.path.rfind("/api/", 0) != 0 || head.path == "/api/login";
  if (!is_open && !has_cookie(head)) {
    return Refusal{401, "open the address that moonlet web has printed"};
  }
  return std::nullopt;
}

std::optional<std::string> unescape(std::string_view text) {
  const auto digit = [](char c) {
    if (!is_hex(c)) return -1;
    return is_digit(c) ? c - '0' : lower(c) - 'a' + 10;
  };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = digit(text[i + 1]), low = digit(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

}  // namespace moonlet::web
