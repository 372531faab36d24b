// Masks likely credentials in the arguments of a command line before they are recorded. It guesses
// by the form of an argument, and masks in case of doubt. Stateless, any thread.
#pragma once

#include <string>
#include <string_view>

namespace moonlet {

/// Masks values in an argument that follow "Bearer ", "x.api_key=", "--token=" and the like. Masks
/// the whole argument if the argument `before` it is an option such as "--token". Does not mask
/// names of variables, numbers or paths.
std::string mask_credentials(std::string_view word, std::string_view before);

}  // namespace moonlet
