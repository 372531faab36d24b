#include "host/validation/schema/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace moonlet::schema {
namespace {

using nlohmann::json;

__extension__ typedef unsigned __int128 Wide;

constexpr double kTwoTo64 = 18446744073709551616.0;

// Integer is a sign and a magnitude. It can compare a signed JSON number with an unsigned one,
// which C++ would convert.
struct Integer {
  bool negative;
  std::uint64_t magnitude;
};

Integer as_integer(const json& number) {
  if (number.is_number_unsigned()) return {false, number.get<std::uint64_t>()};
  const auto value = number.get<std::int64_t>();
  if (value >= 0) return {false, static_cast<std::uint64_t>(value)};
  return {true, ~static_cast<std::uint64_t>(value) + 1};
}

int compare(Integer a, Integer b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  if (a.magnitude == b.magnitude) return 0;
  return (a.magnitude < b.magnitude) != a.negative ? -1 : 1;
}

int compare(Integer a, double b) {
  if (std::abs(b) >= kTwoTo64) return b > 0 ? -1 : 1;
  const double whole = std::trunc(b);
  const Integer integer{whole < 0, static_cast<std::uint64_t>(std::abs(whole))};
  if (const int order = compare(a, integer); order != 0) return order;
  if (b == whole) return 0;
  return b > whole ? -1 : 1;
}

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
  std::uint64_t hash = seed ^ (value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2));
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93ULL;
  hash ^= hash >> 32;
  return hash;
}

std::uint64_t hash_text(std::string_view text) { return std::hash<std::string_view>{}(text); }

std::uint64_t hash_number(const json& number) {
  if (!number.is_number_float()) {
    const auto integer = as_integer(number);
    return mix(integer.negative ? 3 : 2, integer.magnitude);
  }
  const double value = number.get<double>();
  if (std::trunc(value) == value && std::abs(value) < kTwoTo64) {
    return mix(value < 0 ? 3 : 2, static_cast<std::uint64_t>(std::abs(value)));
  }
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return mix(4, bits);
}

bool equal_arrays(const json& a, const json& b, Budget& budget) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!equal_values(a[i], b[i], budget)) return false;
  }
  return true;
}

bool equal_objects(const json& a, const json& b, Budget& budget) {
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    if (!budget.spend(1 + x.key().size() / 64)) return false;
    if (x.key() != y.key() || !equal_values(*x, *y, budget)) return false;
  }
  return true;
}

std::optional<std::string> foreign_part(const json& value) {
  if (value.is_binary()) return "binary data";
  if (value.is_discarded()) return "a discarded value";
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return "an infinite number";
  return std::nullopt;
}

}  // namespace

Extent measure(const json& root, std::size_t max_depth, std::size_t max_values,
               std::size_t max_bytes) {
  struct Frame {
    json::const_iterator next, end;
    bool is_object;
  };
  Extent extent;
  std::vector<Frame> open;
  const auto enter = [&](const json& value) {
    ++extent.values;
    if (value.is_string()) extent.bytes += value.get_ref<const std::string&>().size();
    if (!extent.foreign) extent.foreign = foreign_part(value);
    if (!value.is_structured()) return;
    extent.too_deep = open.size() >= max_depth;
    open.push_back({value.begin(), value.end(), value.is_object()});
  };
  enter(root);
  while (!open.empty() && !extent.too_deep && extent.values <= max_values &&
         extent.bytes <= max_bytes) {
    auto& frame = open.back();
    if (frame.next == frame.end) {
      open.pop_back();
      continue;
    }
    if (frame.is_object) extent.bytes += frame.next.key().size();
    const json& value = *frame.next;
    ++frame.next;
    enter(value);
  }
  return extent;
}

int compare_numbers(const json& a, const json& b) {
  if (!a.is_number_float() && !b.is_number_float()) return compare(as_integer(a), as_integer(b));
  if (!a.is_number_float()) return compare(as_integer(a), b.get<double>());
  if (!b.is_number_float()) return -compare(as_integer(b), a.get<double>());
  const double x = a.get<double>(), y = b.get<double>();
  return x < y ? -1 : x > y ? 1 : 0;
}

bool is_integral(const json& number) {
  if (!number.is_number_float()) return number.is_number();
  const double value = number.get<double>();
  return std::isfinite(value) && std::trunc(value) == value;
}

std::optional<std::uint64_t> as_count(const json& number) {
  if (!is_integral(number)) return std::nullopt;
  if (number.is_number_float()) {
    const double value = number.get<double>();
    if (value < 0) return std::nullopt;
    return value >= kTwoTo64 ? UINT64_MAX : static_cast<std::uint64_t>(value);
  }
  const auto integer = as_integer(number);
  if (integer.negative) return std::nullopt;
  return integer.magnitude;
}

bool equal_values(const json& a, const json& b, Budget& budget) {
  if (!budget.spend(1)) return false;
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case json::value_t::string: {
      const auto& x = a.get_ref<const std::string&>();
      const auto& y = b.get_ref<const std::string&>();
      return x.size() == y.size() && budget.spend(x.size() / 64) && x == y;
    }
    case json::value_t::array:
      return a.size() == b.size() && equal_arrays(a, b, budget);
    case json::value_t::object:
      return a.size() == b.size() && equal_objects(a, b, budget);
    case json::value_t::boolean:
      return a.get<bool>() == b.get<bool>();
    default:
      return true;
  }
}

std::uint64_t hash_value(const json& value, Budget& budget) {
  if (!budget.spend(1)) return 0;
  switch (value.type()) {
    case json::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      budget.spend(text.size() / 64);
      return mix(5, hash_text(text));
    }
    case json::value_t::array: {
      std::uint64_t hash = mix(6, value.size());
      for (const auto& item : value) hash = mix(hash, hash_value(item, budget));
      return hash;
    }
    case json::value_t::object: {
      std::uint64_t hash = mix(7, value.size());
      for (auto item = value.begin(); item != value.end(); ++item) {
        budget.spend(1 + item.key().size() / 64);
        hash = mix(mix(hash, hash_text(item.key())), hash_value(*item, budget));
      }
      return hash;
    }
    case json::value_t::boolean:
      return mix(1, value.get<bool>() ? 1 : 0);
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
      return hash_number(value);
    default:
      return 0;
  }
}

std::optional<std::pair<std::size_t, std::size_t>> equal_pair(const json& array, Budget& budget) {
  std::vector<std::pair<std::uint64_t, std::size_t>> hashes;
  hashes.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    hashes.emplace_back(hash_value(array[i], budget), i);
    if (!budget.spend(1)) return std::nullopt;
  }
  std::sort(hashes.begin(), hashes.end());
  // Values with equal hashes are compared in full. A hostile document could contain many of them,
  // so the budget limits the comparisons.
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    for (std::size_t j = i + 1; j < hashes.size() && hashes[j].first == hashes[i].first; ++j) {
      const auto first = hashes[i].second, second = hashes[j].second;
      if (equal_values(array[first], array[second], budget)) return std::pair(first, second);
      if (budget.exhausted()) return std::nullopt;
    }
  }
  return std::nullopt;
}

Decimal as_decimal(const json& number) {
  Decimal decimal;
  if (!number.is_number_float()) {
    const auto integer = as_integer(number);
    decimal.negative = integer.negative;
    decimal.digits = integer.magnitude;
  } else {
    char text[64];
    const auto end =
        std::to_chars(text, text + sizeof text, number.get<double>(), std::chars_format::scientific)
            .ptr;
    const char* at = text;
    if (*at == '-') decimal.negative = true, ++at;
    for (bool fraction = false; at != end && *at != 'e'; ++at) {
      if (*at == '.') {
        fraction = true;
        continue;
      }
      decimal.digits = decimal.digits * 10 + static_cast<std::uint64_t>(*at - '0');
      if (fraction) --decimal.exponent;
    }
    int exponent = 0;
    if (at != end && *++at == '+') ++at;
    std::from_chars(at, end, exponent);
    decimal.exponent += exponent;
  }
  while (decimal.digits != 0 && decimal.digits % 10 == 0) {
    decimal.digits /= 10;
    ++decimal.exponent;
  }
  return decimal;
}

bool is_multiple(const Decimal& value, const Decimal& divisor) {
  if (value.digits == 0) return true;
  int shift = value.exponent - divisor.exponent;
  if (shift >= 0) {
    std::uint64_t rest = value.digits % divisor.digits;
    for (; shift > 0 && rest != 0; --shift) {
      rest = static_cast<std::uint64_t>(Wide{rest} * 10 % divisor.digits);
    }
    return rest == 0;
  }
  Wide scaled = divisor.digits;
  for (; shift < 0; ++shift) {
    scaled *= 10;
    if (scaled > value.digits) return false;
  }
  return value.digits % static_cast<std::uint64_t>(scaled) == 0;
}

std::uint64_t count_code_points(std::string_view text) {
  return static_cast<std::uint64_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace moonlet::schema
