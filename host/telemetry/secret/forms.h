// The forms of a secret: the environment variables that hold one, and the spellings of its value in
// text. Pure functions, any thread; they keep no state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Without blanks and line ends at both ends.
std::string_view trimmed(std::string_view text);

/// True when the name of the variable says "secret" and the value, at least `least` bytes, is not
/// plainly something else: a path, a common word, a number, an address.
bool presumed_secret(std::string_view name, std::string_view value, std::size_t least);

/// The password of "scheme://user:password@host…", or empty.
std::string_view url_password(std::string_view value);

/// The value itself and the other ways in which programs print it, each at least 8 bytes (but the
/// value itself of any length). Not sorted, may hold doubles.
std::vector<std::string> forms_of_secret(std::string_view value);

}  // namespace moonlet
