// Computes the width of text on a terminal: wide characters take two columns, combining marks none.
// All functions are pure and thread-safe. The text must not have control characters; see
// host/base/text.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Returns how many columns a terminal uses for a character: 0, 1 or 2.
int code_point_width(std::uint32_t code);
/// Returns the number of columns of a text. A malformed byte counts as one column.
int display_width(std::string_view text);
/// Truncates `text` to at most `columns`, and marks the cut with `sign`, which is part of the
/// width.
std::string cut_to_width(std::string_view text, int columns,
                         std::string_view sign = "\xe2\x80\xa6");
/// Like cut_to_width(), but removes the middle, because the end of a path matters most.
std::string cut_middle_to_width(std::string_view text, int columns,
                                std::string_view sign = "\xe2\x80\xa6");

/// Wraps a line to `columns`, between words if possible. Removes the blanks at a line break, but no
/// others.
std::vector<std::string> wrap_to_width(std::string_view text, int columns);

}  // namespace moonlet
