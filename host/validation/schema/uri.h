// URI references of schemas ($id and $ref): resolving one against a base, RFC 3986 section 5. Pure
// functions on text, any thread; they never fetch.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moonlet::schema {

/// `reference` resolved against `base`; either may be relative. The fragment is the reference's.
std::string resolve_uri(std::string_view base, std::string_view reference);

struct SplitUri {
  std::string_view document;  ///< without the fragment
  std::string_view fragment;  ///< without the '#'
};
/// The two halves of a reference; both look into `uri`.
SplitUri split_fragment(std::string_view uri);

/// Percent-decoding; empty where a triplet is malformed.
std::optional<std::string> decode_percent(std::string_view text);

}  // namespace moonlet::schema
