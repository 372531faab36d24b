// Checks the formats date-time, date, time, email, ipv4, ipv6, uri, regex and uuid. All other
// formats are accepted without a check. A check takes time in proportion to the length of the text.
// All functions are pure and thread-safe.
#pragma once

#include <cstddef>
#include <string_view>

namespace moonlet::schema {

struct Format {
  std::string_view name;
  bool (*matches)(std::string_view text);
  std::string_view example;  ///< a text that matches; error messages show it
  unsigned cost;             ///< how many budget steps a check of 64 bytes costs
  std::size_t max_bytes;     ///< maximum size of a valid text
};

/// Returns the format with this name, or null if it is unknown. The format is a static object.
const Format* find_format(std::string_view name);

// These functions are defined in time.cpp, net.cpp, uri.cpp and format.cpp.
bool is_date(std::string_view text);
bool is_time(std::string_view text);
bool is_date_time(std::string_view text);

bool is_email(std::string_view text);
bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);

bool is_uri(std::string_view text);

bool is_uuid(std::string_view text);

}  // namespace moonlet::schema
