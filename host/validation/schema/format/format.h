// The formats that are asserted: date-time, date, time, email, ipv4, ipv6, uri, regex and uuid.
// Each is a predicate on a text, linear in its length. All other names are annotations. Pure
// functions, any thread. A family of formats has a .cpp of its own. uri takes 96 lines
// there, less than a library would.
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

/// The format of that name, or null. The result lives for ever.
const Format* find_format(std::string_view name);

// The predicates by family; each file states its RFC.
bool is_date(std::string_view text);
bool is_time(std::string_view text);
bool is_date_time(std::string_view text);

bool is_email(std::string_view text);
bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);

bool is_uri(std::string_view text);

bool is_uuid(std::string_view text);

}  // namespace moonlet::schema
