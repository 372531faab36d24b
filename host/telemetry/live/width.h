// How many columns of a terminal a text takes: wide characters take two, combining ones none. Pure
// functions on text that control characters were taken out of (host/base/text.h). Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// 0, 1 or 2.
int code_point_width(std::uint32_t code);
/// Malformed bytes count as one column each.
int display_width(std::string_view text);
/// The longest start of `text` that takes at most `columns`; a text that is cut ends in `sign`,
/// which counts too.
std::string cut_to_width(std::string_view text, int columns,
                         std::string_view sign = "\xe2\x80\xa6");
/// Likewise with a cut in the middle: the end of a path says most.
std::string cut_middle_to_width(std::string_view text, int columns,
                                std::string_view sign = "\xe2\x80\xa6");

/// One line as lines that take at most so many columns, broken between words where that can be.
/// Blanks stay as they are, but those at a break.
std::vector<std::string> wrap_to_width(std::string_view text, int columns);

}  // namespace moonlet
