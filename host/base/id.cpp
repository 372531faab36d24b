#include "host/base/id.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "host/base/ascii.h"

namespace moonlet {

bool is_valid_id(std::string_view text) {
  if (text.empty() || text.size() > 64 || !is_letter_or_digit(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
  });
}

Result<void> check_id(std::string_view text, std::string_view what) {
  if (is_valid_id(text)) return {};
  Error error;
  error.kind = ErrorKind::kInvalid;
  error.message = std::string(what) + " '" + std::string(text.substr(0, 80)) + "' is malformed";
  error.hint = "use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit";
  return error;
}

std::string numbered_id(char letter, std::uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "%c-%03llu", letter, static_cast<unsigned long long>(number));
  return text;
}

std::uint64_t id_number(char letter, std::string_view text) {
  if (text.size() < 5 || text.size() > 20 || text[0] != letter || text[1] != '-') return 0;
  std::uint64_t number = 0;
  for (char c : text.substr(2)) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return numbered_id(letter, number) == text ? number : 0;
}

std::string random_hex(std::size_t bytes) {
  std::vector<unsigned char> raw(bytes);
  // getentropy returns at most 256 bytes per call and cannot be interrupted.
  for (std::size_t at = 0; at < bytes; at += 256) {
    if (getentropy(raw.data() + at, std::min<std::size_t>(256, bytes - at)) != 0) break;
  }
  std::string text;
  text.reserve(bytes * 2);
  for (unsigned char byte : raw) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace moonlet
