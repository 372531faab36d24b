// Names that become file names: run ids, task ids, step directories; and the random part of new
// ones. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

/// True for ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$, the form of every id a person may choose.
bool is_valid_id(std::string_view text);
/// The same as a Result, with a message that names the id and the rule.
Result<void> check_id(std::string_view text, std::string_view what);

/// "R-007": at least three digits.
std::string numbered_id(char letter, std::uint64_t number);
/// The number of "R-007"; 0 when the text has another form (or more than 18 digits).
std::uint64_t id_number(char letter, std::string_view text);

/// `bytes` random bytes of the kernel as lower-case hex (two digits a byte).
std::string random_hex(std::size_t bytes);

}  // namespace moonlet
