// Finds environment variables that contain secrets, and lists the encoded forms of a secret (for
// example base64). All functions are pure and thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

std::string_view trimmed(std::string_view text);

/// Returns true if the variable's name suggests a secret and its value may be one: it has at least
/// `least` bytes and is not a path, a common word, a number or an address.
bool presumed_secret(std::string_view name, std::string_view value, std::size_t least);

/// Returns the password in "scheme://user:password@host…", or "" if there is none.
std::string_view url_password(std::string_view value);

/// Returns the forms in which programs may print the value, in no particular order. The unchanged
/// value is the last one. All other forms have at least 8 bytes.
std::vector<std::string> forms_of_secret(std::string_view value);

}  // namespace moonlet
