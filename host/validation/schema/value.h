// Compares JSON values by JSON Schema's rules: 1 equals 1.0, and comparisons do not round. The
// functions recurse, so callers must limit the values' depth first. All functions are pure and
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace moonlet::schema {

/// Budget limits the work of a validation. A step is a few dozen machine instructions.
class Budget {
 public:
  explicit Budget(std::uint64_t steps) : left_(steps) {}

  /// Subtracts `steps` from the budget. Returns false if too few are left; all later calls then
  /// return false, too.
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

/// Extent is the size of a value. It is measured without recursion, and only until a limit is
/// exceeded.
struct Extent {
  bool too_deep = false;
  std::size_t values = 0;
  std::size_t bytes = 0;               ///< total size of keys and strings
  std::optional<std::string> foreign;  ///< the first value unknown to JSON, such as "NaN"
};
Extent measure(const nlohmann::json& value, std::size_t max_depth, std::size_t max_values,
               std::size_t max_bytes);

/// Compares two numbers exactly. Returns -1 if `a` < `b`, 0 if they are equal, and 1 if `a` > `b`.
/// Neither may be NaN.
int compare_numbers(const nlohmann::json& a, const nlohmann::json& b);

/// Returns true if the number has no fraction (such as 1, 1.0 or 1e300).
bool is_integral(const nlohmann::json& number);

/// Returns a non-negative number without a fraction as an integer, clamped to 64 bits. Returns no
/// value for a negative number or one with a fraction.
std::optional<std::uint64_t> as_count(const nlohmann::json& number);

/// Returns true if two values are equal. Returns false if the budget is exhausted.
bool equal_values(const nlohmann::json& a, const nlohmann::json& b, Budget& budget);

/// Returns a hash of a value. Equal values have equal hashes.
std::uint64_t hash_value(const nlohmann::json& value, Budget& budget);

/// Returns the indexes of two equal elements of an array, or no value. Compares only elements with
/// equal hashes.
std::optional<std::pair<std::size_t, std::size_t>> equal_pair(const nlohmann::json& array,
                                                              Budget& budget);

/// Decimal is `digits` * 10^`exponent`, taken from the shortest text of a number, so that 0.1 is
/// exactly a tenth. `digits` has no trailing zeros.
struct Decimal {
  bool negative = false;
  std::uint64_t digits = 0;
  int exponent = 0;
};
Decimal as_decimal(const nlohmann::json& number);
/// Returns true if `value` is an integer multiple of `divisor`, which must not be zero.
bool is_multiple(const Decimal& value, const Decimal& divisor);

std::uint64_t count_code_points(std::string_view text);

}  // namespace moonlet::schema
