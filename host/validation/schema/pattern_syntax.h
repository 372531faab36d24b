// Translation of an ECMA-262 regular expression (`u` flag) to the syntax of RE2. Pure text to text,
// any thread; the result still has to be compiled.
#pragma once

#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet::schema {

struct Translation {
  std::string re2;          ///< with lookaround and back-references as plain groups
  std::string unsupported;  ///< the first construct that RE2 cannot run; empty when all is well
};

/// Errors are kInvalid: `source` is not an ECMA-262 regular expression.
Result<Translation> translate_pattern(std::string_view source);

}  // namespace moonlet::schema
