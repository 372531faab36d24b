// Resolves URI references of schemas ($id and $ref) by RFC 3986 section 5.
// URIs are never fetched. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moonlet::schema {

/// Resolves `reference` against `base`. Either may be relative. Keeps the reference's fragment.
std::string resolve_uri(std::string_view base, std::string_view reference);

struct SplitUri {
  std::string_view document;  ///< without the fragment
  std::string_view fragment;  ///< without the '#'
};
/// Splits off the fragment. Both halves point into `uri`.
SplitUri split_fragment(std::string_view uri);

/// Decodes percent-encoding. Returns no value for a malformed triplet.
std::optional<std::string> decode_percent(std::string_view text);

}  // namespace moonlet::schema
