// The parts of a URI reference, RFC 3986 section 3. Pure functions on text, any thread.
#pragma once

#include <string_view>

namespace moonlet::schema {

struct UriParts {
  std::string_view scheme, authority, path, query, fragment;
  bool has_scheme = false, has_authority = false, has_query = false, has_fragment = false;
};

/// Splits a reference without checking its characters; the parts look into `uri`.
UriParts split_uri(std::string_view uri);

}  // namespace moonlet::schema
