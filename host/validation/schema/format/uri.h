// Resolves the URI references in schemas ($id and $ref) by RFC 3986 section 5. Nothing is fetched.
// All functions are pure and thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moonlet::schema {

/// Resolves `reference` against `base`. Both may be relative. Keeps the fragment of `reference`.
std::string resolve_uri(std::string_view base, std::string_view reference);

struct SplitUri {
  std::string_view document;  ///< without the fragment
  std::string_view fragment;  ///< without the '#'
};
/// Splits a URI at the fragment. Both parts point into `uri`.
SplitUri split_fragment(std::string_view uri);

/// Decodes percent-encoding. Returns no value if an escape is malformed.
std::optional<std::string> decode_percent(std::string_view text);

}  // namespace moonlet::schema
