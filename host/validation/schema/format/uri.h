// Splits a URI reference into its parts, RFC 3986 section 3. All functions are pure and
// thread-safe.
#pragma once

#include <string_view>

namespace moonlet::schema {

struct UriParts {
  std::string_view scheme, authority, path, query, fragment;
  bool has_scheme = false, has_authority = false, has_query = false, has_fragment = false;
};

/// Splits a reference without checking its characters. The parts point into `uri`.
UriParts split_uri(std::string_view uri);

}  // namespace moonlet::schema
