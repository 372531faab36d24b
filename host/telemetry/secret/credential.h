// Guesses credentials in command lines by the shape of an argument, before arguments are recorded.
// The guess hides too much rather than too little. Stateless, any thread.
#pragma once

#include <string>
#include <string_view>

namespace moonlet {

/// Masks likely credentials in an argument: after "Bearer ", "x.api_key=", "--token=" and the like.
/// Masks the whole argument if `before`, the previous argument, is an option for a secret.
/// Names of variables, numbers and paths are not masked.
std::string mask_credentials(std::string_view word, std::string_view before);

}  // namespace moonlet
