// Compares JSON values by JSON Schema's rules: 1 equals 1.0, without any rounding.
// Value functions recurse, so callers must bound the depth first.
// All functions are pure and may run on any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace moonlet::schema {

/// Budget limits the work of an evaluation. A step is a few dozen machine instructions.
class Budget {
 public:
  explicit Budget(std::uint64_t steps) : left_(steps) {}

  /// Returns false if the work exceeds the budget, and at every later call.
  bool spend(std::uint64_t steps) {
    if (steps > left_) {
      left_ = 0;
      exhausted_ = true;
    }
    if (!exhausted_) left_ -= steps;
    return !exhausted_;
  }
  bool exhausted() const { return exhausted_; }
  std::uint64_t left() const { return left_; }

 private:
  std::uint64_t left_;
  bool exhausted_ = false;
};

/// Extent is the size of a value, computed without recursion up to the first passed limit.
struct Extent {
  bool too_deep = false;
  std::size_t values = 0;
  std::size_t bytes = 0;               ///< total of keys and strings
  std::optional<std::string> foreign;  ///< names the first part that is not JSON: "NaN"
};
Extent measure(const nlohmann::json& value, std::size_t max_depth, std::size_t max_values,
               std::size_t max_bytes);

/// Returns -1, 0 or 1 as `a` is less than, equal to or greater than `b`, exactly. No NaN.
int compare_numbers(const nlohmann::json& a, const nlohmann::json& b);

/// Returns true for integers and for numbers without a fraction (1.0, 1e300).
bool is_integral(const nlohmann::json& number);

/// Returns a non-negative integral number as a count; clamps huge numbers.
std::optional<std::uint64_t> as_count(const nlohmann::json& number);

/// Returns whether two values are equal; false if the budget ends.
bool equal_values(const nlohmann::json& a, const nlohmann::json& b, Budget& budget);

/// Equal values have equal hashes.
std::uint64_t hash_value(const nlohmann::json& value, Budget& budget);

/// Returns the first pair of equal elements of an array, in linear time.
std::optional<std::pair<std::size_t, std::size_t>> equal_pair(const nlohmann::json& array,
                                                              Budget& budget);

/// Decimal is `digits` * 10^`exponent` from a number's shortest text: 0.1 is exactly a tenth.
/// `digits` of a Decimal has no trailing zero.
struct Decimal {
  bool negative = false;
  std::uint64_t digits = 0;
  int exponent = 0;
};
Decimal as_decimal(const nlohmann::json& number);
/// Returns true if `value` is an integer multiple of `divisor`, which is not zero.
bool is_multiple(const Decimal& value, const Decimal& divisor);

std::uint64_t count_code_points(std::string_view text);

}  // namespace moonlet::schema
