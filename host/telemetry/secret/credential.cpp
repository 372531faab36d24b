#include "host/telemetry/secret/credential.h"

#include <algorithm>
#include <array>

#include "host/base/ascii.h"

namespace moonlet {

namespace {

constexpr std::string_view kMark = "[redacted:argument]";
constexpr std::size_t kShortest = 8;
constexpr std::array<std::string_view, 10> kTelling = {
    "key",    "apikey",     "token",       "secret",        "password",
    "passwd", "credential", "credentials", "authorization", "bearer"};

bool is_name(char c) { return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.'; }

/// Returns true if the last word of the name suggests a secret, such as "token".
bool is_telling(std::string_view name) {
  std::size_t end = name.size();
  while (end > 0 && !is_letter(name[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && is_letter(name[begin - 1])) --begin;
  const std::string last = lower(name.substr(begin, end - begin));
  return std::find(kTelling.begin(), kTelling.end(), last) != kTelling.end();
}

bool is_secret(std::string_view value) {
  if (value.size() < kShortest) return false;
  if (value[0] == '/' || value[0] == '~' || value[0] == '.' || value[0] == '[') return false;
  const bool number = std::all_of(value.begin(), value.end(), is_digit);
  const bool variable = std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
  });
  return !number && !variable;
}

/// Returns the end of the value that begins at `from`.
std::size_t end_of_value(std::string_view word, std::size_t from) {
  const std::size_t end = word.find_first_of("\"',; \t\r\n}]", from);
  return end == std::string_view::npos ? word.size() : end;
}

/// Returns where the value starts in "name=value" or "name: value". `at` is the end of the name.
/// Returns npos if there is no "=" or ":".
std::size_t value_after(std::string_view word, std::size_t at) {
  while (at < word.size() && word[at] == ' ') ++at;
  if (at >= word.size() || (word[at] != '=' && word[at] != ':')) return std::string_view::npos;
  ++at;
  while (at < word.size() && word[at] == ' ') ++at;
  if (at < word.size() && (word[at] == '"' || word[at] == '\'')) ++at;
  return at;
}

/// Returns where the value starts in "Bearer value". `at` is the end of `name`. Returns npos if
/// `name` is not a word like "Bearer", or no blank follows.
std::size_t token_after(std::string_view word, std::string_view name, std::size_t at) {
  if (name.size() != 6 || !is_telling(name) || at >= word.size() || word[at] != ' ') {
    return std::string_view::npos;
  }
  while (at < word.size() && word[at] == ' ') ++at;
  return at;
}

}  // namespace

std::string mask_credentials(std::string_view word, std::string_view before) {
  if (before.size() > 1 && before[0] == '-' && before.find('=') == std::string_view::npos &&
      is_telling(before) && word.substr(0, 1) != "-" && is_secret(word)) {
    return std::string(kMark);
  }
  std::string shown;
  std::size_t at = 0;
  while (at < word.size()) {
    if (!is_name(word[at])) {
      shown += word[at++];
      continue;
    }
    std::size_t end = at;
    while (end < word.size() && is_name(word[end])) ++end;
    const std::string_view name = word.substr(at, end - at);
    std::size_t value = is_telling(name) ? value_after(word, end) : std::string_view::npos;
    if (value == std::string_view::npos) value = token_after(word, name, end);
    const std::size_t stop = value == std::string_view::npos ? end : end_of_value(word, value);
    if (value != std::string_view::npos && is_secret(word.substr(value, stop - value))) {
      shown.append(word.substr(at, value - at)).append(kMark);
      at = stop;
    } else {
      shown.append(name);
      at = end;
    }
  }
  return shown;
}

}  // namespace moonlet
