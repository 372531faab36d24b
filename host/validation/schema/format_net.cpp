// Names and addresses of the net: RFC 5321 and 6531 mailboxes, RFC 1123 host names, RFC 2673 and
// 4291 addresses.
#include "host/validation/schema/format.h"

namespace moonlet::schema {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool is_high(char c) { return (c & 0x80) != 0; }

bool is_atom(char c) {
  return is_letter(c) || is_digit(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_label(std::string_view label, bool international) {
  if (label.empty() || label.front() == '-' || label.back() == '-') return false;
  if (label.size() > (international ? 252u : 63u)) return false;
  for (char c : label) {
    if (!is_letter(c) && !is_digit(c) && c != '-' && !(international && is_high(c))) return false;
  }
  return true;
}

bool is_domain(std::string_view text, bool international) {
  if (text.empty() || text.size() > (international ? 1012u : 253u)) return false;
  while (true) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot), international)) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

// Length of a quoted local part, its quotes included; 0 when there is none.
std::size_t quoted_part(std::string_view text, bool international) {
  if (!text.starts_with('"')) return 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
    if (i >= text.size()) return 0;
    const char c = text[i];
    if (!(c >= ' ' && c <= '~') && !(international && is_high(c))) return 0;
  }
  return 0;
}

std::size_t dotted_part(std::string_view text, bool international) {
  std::size_t i = 0;
  bool after_atom = false;
  for (; i < text.size() && text[i] != '@'; ++i) {
    const bool atom = is_atom(text[i]) || (international && is_high(text[i]));
    if (!atom && !(text[i] == '.' && after_atom)) return 0;
    after_atom = atom;
  }
  return after_atom ? i : 0;
}

bool is_mailbox(std::string_view text, bool international) {
  auto local = quoted_part(text, international);
  if (local == 0) local = dotted_part(text, international);
  if (local == 0 || local > (international ? 256u : 64u)) return false;
  text.remove_prefix(local);
  if (!text.starts_with('@')) return false;
  text.remove_prefix(1);
  if (text.starts_with('[') && text.ends_with(']')) {
    const auto address = text.substr(1, text.size() - 2);
    return address.starts_with("IPv6:") ? is_ipv6(address.substr(5)) : is_ipv4(address);
  }
  return is_domain(text, international);
}

}  // namespace

bool is_email(std::string_view text) { return is_mailbox(text, false); }
bool is_idn_email(std::string_view text) { return is_mailbox(text, true); }

bool is_hostname(std::string_view text) {
  if (!is_domain(text, false)) return false;
  // An "xn--" label stands for one of other letters, which has rules of its own.
  return text.find("--") == std::string_view::npos || is_idn_hostname(text);
}

bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    std::size_t digits = 0;
    int value = 0;
    while (digits < text.size() && digits < 4 && is_digit(text[digits])) {
      value = value * 10 + (text[digits++] - '0');
    }
    if (digits == 0 || digits > 3 || value > 255 || (digits > 1 && text[0] == '0')) return false;
    text.remove_prefix(digits);
    if (part == 3) break;
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  return text.empty();
}

bool is_ipv6(std::string_view text) {
  if (text.size() > 45) return false;
  int groups = 0;
  bool gap = false;
  if (text.starts_with("::")) {
    gap = true;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    const auto colon = text.find(':');
    const auto group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      if (!is_ipv4(group)) return false;
      groups += 2;
      break;
    }
    if (group.empty() || group.size() > 4) return false;
    for (char c : group) {
      if (!is_hex(c)) return false;
    }
    ++groups;
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.starts_with(':')) {
      if (gap) return false;
      gap = true;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return false;
    }
  }
  return gap ? groups < 8 : groups == 8;
}

}  // namespace moonlet::schema
