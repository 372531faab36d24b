// Credentials in command lines: a guess by the shape of an argument, for what is put on record. It
// owns nothing, refuses nothing and errs towards hiding; any thread.
#pragma once

#include <string>
#include <string_view>

namespace moonlet {

/// The argument without what looks like a credential in it: after "Bearer ", after a name that ends
/// in key, token, secret, password or the like ("x.api_key=…", "--token=…"), or all of it where
/// `before`, the argument in front of it, is an option of such a name. Names of variables, numbers
/// and paths are none.
std::string mask_credentials(std::string_view word, std::string_view before);

}  // namespace moonlet
