// Checks RFC 3339 dates and times. Accepts a leap second only at 23:59:60 UTC.
#include <chrono>
#include <optional>

#include "host/base/ascii.h"
#include "host/validation/schema/format/format.h"

namespace moonlet::schema {
namespace {

std::optional<int> number(std::string_view text) {
  int value = 0;
  for (char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Parses the two digits at offset `at`. Returns no value if they are not digits or their number is
// greater than `most`.
std::optional<int> pair_at(std::string_view text, std::size_t at, int most) {
  if (text.size() < at + 2) return std::nullopt;
  const auto value = number(text.substr(at, 2));
  return value && *value <= most ? value : std::nullopt;
}

// Parses "Z" or "+hh:mm" into the minutes to subtract from the local time to get UTC.
std::optional<int> offset_of(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const auto hours = pair_at(text, 1, 23), minutes = pair_at(text, 4, 59);
  if (!hours || !minutes) return std::nullopt;
  const int total = *hours * 60 + *minutes;
  return text[0] == '+' ? total : -total;
}

}  // namespace

bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const auto year = number(text.substr(0, 4));
  const auto month = pair_at(text, 5, 12), day = pair_at(text, 8, 31);
  if (!year || !month || !day) return false;
  return std::chrono::year_month_day(std::chrono::year(*year),
                                     std::chrono::month(static_cast<unsigned>(*month)),
                                     std::chrono::day(static_cast<unsigned>(*day)))
      .ok();
}

bool is_time(std::string_view text) {
  const auto hours = pair_at(text, 0, 23), minutes = pair_at(text, 3, 59),
             seconds = pair_at(text, 6, 60);
  if (!hours || !minutes || !seconds || text[2] != ':' || text[5] != ':') return false;
  text.remove_prefix(8);
  if (text.starts_with('.')) {
    std::size_t digits = 1;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    if (digits == 1) return false;
    text.remove_prefix(digits);
  }
  const auto offset = offset_of(text);
  if (!offset) return false;
  constexpr int kDay = 24 * 60;
  const int utc = (*hours * 60 + *minutes - *offset + kDay) % kDay;
  return *seconds < 60 || utc == kDay - 1;
}

bool is_date_time(std::string_view text) {
  return text.size() > 11 && (text[10] == 'T' || text[10] == 't') && is_date(text.substr(0, 10)) &&
         is_time(text.substr(11));
}

}  // namespace moonlet::schema
