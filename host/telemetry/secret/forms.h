// Finds the environment variables that contain secrets, and the spellings of a secret in text.
// All functions are pure and may run on any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

std::string_view trimmed(std::string_view text);

/// Returns true if the variable's name announces a secret and the value has `least` bytes.
/// The value must not be a path, common word, number or address.
bool presumed_secret(std::string_view name, std::string_view value, std::size_t least);

/// Returns the password of "scheme://user:password@host…", or "".
std::string_view url_password(std::string_view value);

/// Returns the value and the spellings that programs print, each at least 8 bytes long.
/// The result is unsorted, and only the unchanged first value may be shorter than 8 bytes.
std::vector<std::string> forms_of_secret(std::string_view value);

}  // namespace moonlet
