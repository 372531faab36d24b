// Checks the formats date-time, date, time, email, ipv4, ipv6, uri, regex and uuid.
// All other formats are annotations. Each check is linear in its text's length.
// All checks are pure functions for any thread. A library for uri would take more code.
#pragma once

#include <cstddef>
#include <string_view>

namespace moonlet::schema {

struct Format {
  std::string_view name;
  bool (*matches)(std::string_view text);
  std::string_view example;  ///< for messages
  unsigned cost;             ///< steps of the budget for each 64 bytes of text
  std::size_t max_bytes;     ///< longer texts are not of this format
};

/// Returns the format with this name; null if unknown. The result lives forever.
const Format* find_format(std::string_view name);

// The predicates are grouped by family. Each file names its RFC.
bool is_date(std::string_view text);
bool is_time(std::string_view text);
bool is_date_time(std::string_view text);

bool is_email(std::string_view text);
bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);

bool is_uri(std::string_view text);

bool is_uuid(std::string_view text);

}  // namespace moonlet::schema
