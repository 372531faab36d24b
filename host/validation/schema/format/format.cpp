#include "host/validation/schema/format/format.h"

#include <cstdint>

#include "host/base/ascii.h"
#include "host/validation/schema/format/pattern.h"

namespace moonlet::schema {
namespace {

constexpr std::size_t kAny = SIZE_MAX;

constexpr Format kFormats[] = {
    {"date-time", is_date_time, "2024-05-31T12:30:00Z", 1, 100},
    {"date", is_date, "2024-05-31", 1, 10},
    {"time", is_time, "12:30:00Z", 1, 100},
    {"email", is_email, "name@example.com", 1, 400},
    {"ipv4", is_ipv4, "192.0.2.1", 1, 15},
    {"ipv6", is_ipv6, "2001:db8::1", 1, 45},
    {"uri", is_uri, "https://example.com/path", 2, kAny},
    {"regex", is_pattern, "^[a-z]+$", 64, 4000},
    {"uuid", is_uuid, "123e4567-e89b-12d3-a456-426614174000", 1, 36},
};

}  // namespace

const Format* find_format(std::string_view name) {
  for (const auto& format : kFormats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

}  // namespace moonlet::schema
