// Removes large members from a record, to save memory. Readers load them from the file on demand.
// The caller names the members. Scans the text without decoding, for a fast resume.
// All functions are pure and may run on any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Bodies up to this size are kept whole while memory suffices.
inline constexpr std::size_t kShortBody = 8 << 10;

/// Returns the body without the large members in `names`; no value if the body has none.
std::optional<std::string> body_without_large(std::string_view body,
                                              const std::vector<std::string>& names);

}  // namespace moonlet
