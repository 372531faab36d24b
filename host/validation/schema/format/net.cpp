// Checks email addresses (RFC 5321, with host names of RFC 1123) and IP addresses (RFC 2673, RFC
// 4291).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "host/base/ascii.h"
#include "host/validation/schema/format/format.h"

namespace moonlet::schema {
namespace {

bool is_atom(char c) {
  return is_letter_or_digit(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_label(std::string_view label) {
  if (label.empty() || label.front() == '-' || label.back() == '-') return false;
  if (label.size() > 63) return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

bool is_domain(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  for (; text.find('.') != std::string_view::npos; text.remove_prefix(text.find('.') + 1)) {
    if (!is_label(text.substr(0, text.find('.')))) return false;
  }
  return is_label(text);
}

// Returns the length of a quoted local part, including its quotes; 0 if it is not quoted.
std::size_t quoted_part(std::string_view text) {
  if (!text.starts_with('"')) return 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
    if (i >= text.size()) return 0;
    const char c = text[i];
    if (!(c >= ' ' && c <= '~')) return 0;
  }
  return 0;
}

std::size_t dotted_part(std::string_view text) {
  std::size_t i = 0;
  bool after_atom = false;
  for (; i < text.size() && text[i] != '@'; ++i) {
    const bool atom = is_atom(text[i]);
    if (!atom && !(text[i] == '.' && after_atom)) return 0;
    after_atom = atom;
  }
  return after_atom ? i : 0;
}

bool is_address(int family, std::string_view text) {
  unsigned char address[sizeof(in6_addr)];
  return text.find('\0') == std::string_view::npos &&
         inet_pton(family, std::string(text).c_str(), address) == 1;
}

}  // namespace

bool is_email(std::string_view text) {
  auto local = quoted_part(text);
  if (local == 0) local = dotted_part(text);
  if (local == 0 || local > 64) return false;
  text.remove_prefix(local);
  if (!text.starts_with('@')) return false;
  text.remove_prefix(1);
  if (text.starts_with('[') && text.ends_with(']')) {
    const auto address = text.substr(1, text.size() - 2);
    return address.starts_with("IPv6:") ? is_ipv6(address.substr(5)) : is_ipv4(address);
  }
  return is_domain(text);
}

bool is_ipv4(std::string_view text) { return is_address(AF_INET, text); }
bool is_ipv6(std::string_view text) { return is_address(AF_INET6, text); }

}  // namespace moonlet::schema
