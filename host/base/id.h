// Validates and formats ids. Ids become file names: run ids, task ids, step directories. Pure
// functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

/// Returns true for ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$, the format of user-chosen ids.
bool is_valid_id(std::string_view text);
/// Checks like is_valid_id(). The error names the id and the rule.
Result<void> check_id(std::string_view text, std::string_view what);

/// Returns the letter and the number with at least three digits: "R-007".
std::string numbered_id(char letter, std::uint64_t number);
/// Returns the number in an id such as "R-007". Returns 0 if the id has another format or more than
/// 18 digits.
std::uint64_t id_number(char letter, std::string_view text);

/// Returns `bytes` random bytes from the kernel as lower-case hex digits.
std::string random_hex(std::size_t bytes);

}  // namespace moonlet
