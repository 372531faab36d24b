// A record without its large members, which need not be kept in memory: they are read again by the
// place of the record when somebody asks. The caller names them. It scans the text without decoding
// it, for a resume of 10,000 steps has to stay under a second and in little memory. Pure functions,
// any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Bodies up to this size are kept as they are, while there is room for them.
inline constexpr std::size_t kShortBody = 8 << 10;

/// The body without those members of `names` that are large; empty when it has none.
std::optional<std::string> body_without_large(std::string_view body,
                                              const std::vector<std::string>& names);

}  // namespace moonlet
