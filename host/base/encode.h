// Encodes the files of a web page with gzip (zlib) and base64. All functions are pure and
// thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

/// Compresses `text`. Stores no file name or time, so that equal texts give equal bytes.
/// Fails with kLimit if zlib cannot allocate memory.
Result<std::string> gzip(std::string_view text);

/// Encodes in base64 with padding, on a single line.
std::string base64(std::string_view bytes);

}  // namespace moonlet
