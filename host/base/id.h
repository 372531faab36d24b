// Ids become file names: run ids, task ids, step directories. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

/// Returns true for ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$, the format of user-chosen ids.
bool is_valid_id(std::string_view text);
/// Like is_valid_id(), with an error that names the id and the rule.
Result<void> check_id(std::string_view text, std::string_view what);

/// Formats "R-007", with at least three digits.
std::string numbered_id(char letter, std::uint64_t number);
/// Parses the number of "R-007". Returns 0 for another format or more than 18 digits.
std::uint64_t id_number(char letter, std::string_view text);

/// Returns `bytes` random bytes of the kernel as lower-case hex.
std::string random_hex(std::size_t bytes);

}  // namespace moonlet
