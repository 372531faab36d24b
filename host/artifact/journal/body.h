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

/// A body up to this size is kept whole unless memory is short.
inline constexpr std::size_t kShortBody = 8 << 10;

/// Returns the body without those members that are large and whose name is in `names`. Returns no
/// value if there are none.
std::optional<std::string> body_without_large(std::string_view body,
                                              const std::vector<std::string>& names);

}  // namespace moonlet
