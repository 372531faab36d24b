// Finds the parts of a record that need not stay in memory: the large values of ends and facts.
// They are read again by their place when they are asked for. The scan does not decode the text,
// because a resume of 10,000 steps has to stay under a second and in little memory. Pure functions,
// any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace moonlet {

/// Bodies up to this size are kept as they are, while there is room for them.
inline constexpr std::size_t kShortBody = 8 << 10;

/// The body of an `end` or a `fact` with "lazy":true in place of its large members `v` and `x`;
/// empty for a body without them and for any other record.
std::optional<std::string> body_without_values(std::string_view body);

}  // namespace moonlet
