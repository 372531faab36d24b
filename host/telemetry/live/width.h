// Computes the width of text on a terminal: wide characters take two columns, combining marks none.
// Pure functions on text without control characters (see host/base/text.h). Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Returns the number of terminal columns of a character: 0, 1 or 2.
int code_point_width(std::uint32_t code);
/// A malformed byte counts as one column.
int display_width(std::string_view text);
/// Truncates `text` to `columns`. A truncated text ends in `sign`, which counts too.
std::string cut_to_width(std::string_view text, int columns,
                         std::string_view sign = "\xe2\x80\xa6");
/// Like cut_to_width(), but cuts the middle, because a path's end matters most.
std::string cut_middle_to_width(std::string_view text, int columns,
                                std::string_view sign = "\xe2\x80\xa6");

/// Wraps a line to `columns`, between words if possible. Drops only the blanks at a break.
std::vector<std::string> wrap_to_width(std::string_view text, int columns);

}  // namespace moonlet
