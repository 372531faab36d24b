// The named formats of draft-07, asserted: each is a predicate on a text, linear in its length.
// Unknown names are ignored, as the standard says. Pure functions, any thread.
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
bool is_idn_email(std::string_view text);
bool is_hostname(std::string_view text);
bool is_idn_hostname(std::string_view text);
bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);

bool is_uri(std::string_view text);
bool is_uri_reference(std::string_view text);
bool is_iri(std::string_view text);
bool is_iri_reference(std::string_view text);
bool is_uri_template(std::string_view text);
bool is_json_pointer(std::string_view text);
bool is_relative_json_pointer(std::string_view text);

bool is_uuid(std::string_view text);

}  // namespace moonlet::schema
