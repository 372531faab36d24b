// JSON values as JSON Schema compares them: 1 and 1.0 are the same number, whatever their storage,
// and no value is rounded on the way. Recursion follows the value, so callers bound its depth
// first. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace moonlet::schema {

/// How much work an evaluation may still do. A step is a few dozen machine instructions.
class Budget {
 public:
  explicit Budget(std::uint64_t steps) : left_(steps) {}

  /// False, now and for ever, when the work would pass the budget.
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

/// The size of a value, found without recursion. Counting stops where a limit is passed.
struct Extent {
  bool too_deep = false;
  std::size_t values = 0;
  std::size_t bytes = 0;               ///< total of keys and strings
  std::optional<std::string> foreign;  ///< names the first part that is not JSON: "NaN"
};
Extent measure(const nlohmann::json& value, std::size_t max_depth, std::size_t max_values,
               std::size_t max_bytes);

/// -1, 0 or 1 as the number `a` is smaller than, equal to or greater than the number `b`, exactly.
/// Neither may be NaN.
int compare_numbers(const nlohmann::json& a, const nlohmann::json& b);

/// True for integers and for numbers without a fraction (1.0, 1e300).
bool is_integral(const nlohmann::json& number);

/// The value of a number that is a count: not negative, no fraction; huge ones are clamped.
std::optional<std::uint64_t> as_count(const nlohmann::json& number);

/// Equality of two values; false when the budget ends on the way.
bool equal_values(const nlohmann::json& a, const nlohmann::json& b, Budget& budget);

/// Equal values have equal hashes.
std::uint64_t hash_value(const nlohmann::json& value, Budget& budget);

/// The first pair of equal elements of an array, if any: linear in the size of the array.
std::optional<std::pair<std::size_t, std::size_t>> equal_pair(const nlohmann::json& array,
                                                              Budget& budget);

/// A number as `digits` times ten to the power of `exponent`, as its shortest text says: 0.1 is
/// exactly a tenth. `digits` has no trailing zero.
struct Decimal {
  bool negative = false;
  std::uint64_t digits = 0;
  int exponent = 0;
};
/// The decimal of a finite number.
Decimal as_decimal(const nlohmann::json& number);
/// True when `value` is an integer multiple of `divisor`, which is not zero.
bool is_multiple(const Decimal& value, const Decimal& divisor);

/// Code points of a UTF-8 text.
std::uint64_t count_code_points(std::string_view text);

}  // namespace moonlet::schema
