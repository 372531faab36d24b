// Parses and formats JSON strictly by RFC 8259. Parse errors have a line and a column. The parser
// refuses duplicate keys, NaN, invalid UTF-8, integers beyond 64 bits, and texts beyond the given
// limits. Parsing and formatting never recurse. All functions are pure and thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "host/base/result.h"

namespace moonlet {

/// BigIntegers selects how the parser treats integers beyond 64 bits.
enum class BigIntegers {
  kRefuse,  ///< fails on such an integer instead of rounding it
  kDouble,  ///< rounds to the nearest double
};

struct JsonLimits {
  std::size_t max_bytes = std::size_t{64} << 20;
  std::size_t max_depth = 64;          ///< depth of nested arrays and objects; a scalar has depth 0
  std::size_t max_values = 2'000'000;  ///< each value takes at least 16 bytes of memory
  BigIntegers big_integers = BigIntegers::kRefuse;
};

/// Limits for records that the host itself has written. Every record of the host fits into them.
inline constexpr JsonLimits kRecordJsonLimits{std::size_t{512} << 20, 128, 16'000'000,
                                              BigIntegers::kRefuse};

/// Parses `text`, which may start with a UTF-8 byte order mark.
/// Fails with kInvalid or kLimit. The error's `at` is "line:column", counted from 1 in code points.
Result<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Formats `value` on a single line, or indented by `indent` spaces per level. Accepts any depth.
/// Invalid UTF-8 becomes U+FFFD. NaN and binary values become null.
std::string json_text(const nlohmann::json& value, int indent = -1);

}  // namespace moonlet
