// JSON text to values and back, strictly: the text of an agent is read as RFC 8259 says or refused
// with its line and column. Refuses duplicate keys, NaN, invalid UTF-8, integers that 64 bits do
// not hold, and values beyond the limits. No recursion anywhere. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "host/base/result.h"

namespace moonlet {

/// The treatment of an integer literal that neither int64 nor uint64 holds.
enum class BigIntegers {
  kRefuse,  ///< an error with its place: a silent change of the number would be a lie
  kDouble,  ///< the nearest double
};

struct JsonLimits {
  std::size_t max_bytes = std::size_t{64} << 20;
  std::size_t max_depth = 64;          ///< nested arrays and objects; a scalar has depth 0
  std::size_t max_values = 2'000'000;  ///< one takes at least 16 bytes, even if its text has two
  BigIntegers big_integers = BigIntegers::kRefuse;
};

/// For the host's own records, which hold values of other limits: they read all that they may
/// write.
inline constexpr JsonLimits kRecordJsonLimits{std::size_t{512} << 20, 128, 16'000'000,
                                              BigIntegers::kRefuse};

/// The value of `text`, which may start with a UTF-8 byte order mark. Errors are kInvalid (kLimit
/// where a limit was passed), with "line:column" in `at`; columns count code points from 1.
Result<nlohmann::json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// The text of `value`, on one line or indented by `indent` spaces. Invalid UTF-8 becomes U+FFFD;
/// values that JSON lacks (NaN, binary) become null. Works at any depth.
std::string json_text(const nlohmann::json& value, int indent = -1);

}  // namespace moonlet
