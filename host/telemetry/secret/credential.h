// Credentials in command lines: a guess by the shape of an argument, before it goes on record. It
// owns no state, refuses no input and errs towards hiding; any thread.
#pragma once

#include <string>
#include <string_view>

namespace moonlet {

/// The argument with likely credentials hidden: after "Bearer ", after a name that ends in key,
/// token, secret, password or the like ("x.api_key=…", "--token=…"), or all of it where `before`,
/// the argument in front of it, is an option of such a name. Names of variables, numbers and paths
/// stay.
std::string mask_credentials(std::string_view word, std::string_view before);

}  // namespace moonlet
