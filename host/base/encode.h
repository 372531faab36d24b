// Encodings of a file that a page carries: gzip by zlib, and base64. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

/// The text as a gzip member without a name or a time, so that equal texts give equal bytes. kLimit
/// where zlib gets no memory.
Result<std::string> gzip(std::string_view text);

/// The bytes in base64, padded, on one line.
std::string base64(std::string_view bytes);

}  // namespace moonlet
