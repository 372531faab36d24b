#include "host/validation/schema/error.h"

#include <algorithm>
#include <array>

#include "host/base/ascii.h"
#include "host/base/json.h"
#include "host/base/text.h"

namespace moonlet::schema {
namespace {

using nlohmann::json;

constexpr std::size_t kShown = 80;     // maximum bytes of a quoted string
constexpr std::size_t kStep = 200;     // maximum bytes of a step of a JSON pointer
constexpr std::size_t kListed = 12;    // maximum number of names in a list
constexpr std::size_t kCompared = 48;  // names with more bytes are not compared

// Returns the edit distance of two names, where swapped neighbours count as one edit. Gives up and
// returns `most` + 1 if the names are too long or their lengths differ too much.
std::size_t slips_between(std::string_view a, std::string_view b, std::size_t most) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() > kCompared || b.size() - a.size() > most) return most + 1;
  std::array<std::array<std::size_t, kCompared + 1>, 3> rows{};
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    const auto& two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t wrong = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + wrong});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], two_above[j - 2] + 1);
      }
    }
  }
  return rows[a.size() % 3][b.size()];
}

}  // namespace

std::string show_text(std::string_view text) {
  const auto shown = cut_end(text, kShown);
  std::string quoted = json_text(json(std::string(shown)));
  if (shown.size() < text.size()) quoted.insert(quoted.size() - 1, "…");
  return quoted;
}

std::string show(const json& value) {
  if (value.is_string()) return show_text(value.get_ref<const std::string&>());
  if (value.is_array()) {
    return value.empty() ? "an empty array" : "an array of " + count_of(value.size(), "item");
  }
  if (value.is_object()) {
    if (value.empty()) return "an empty object";
    std::vector<std::string_view> names;
    for (auto item = value.begin(); item != value.end() && names.size() < 4; ++item) {
      names.push_back(item.key());
    }
    return "an object with " + count_of(value.size(), "property") + " (" +
           list_texts(names, "and") + (names.size() < value.size() ? ", …)" : ")");
  }
  return json_text(value);
}

std::string list_texts(const std::vector<std::string_view>& texts, std::string_view last_word) {
  const bool whole = texts.size() <= kListed;
  const auto shown = whole ? texts.size() : kListed;
  std::string out;
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0 && whole && i + 1 == shown) {
      out.append(" ").append(last_word).append(" ");
    } else if (i > 0) {
      out += ", ";
    }
    out += show_text(texts[i]);
  }
  if (!whole) out += " and " + std::to_string(texts.size() - shown) + " more";
  return out;
}

std::string_view near_name(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::size_t most = word.size() < 3 ? 0 : std::min<std::size_t>(1 + word.size() / 4, 4);
  std::size_t least = most + 1;
  std::string_view nearest;
  for (const auto candidate : candidates) {
    // Fewer than half of the characters may differ, so that short names are not similar by chance.
    const auto slips = slips_between(word, candidate, most);
    if (slips < least && slips * 2 < std::max(candidate.size(), std::size_t{2})) {
      least = slips;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string pointer_step(std::string_view key) {
  const auto shown = cut_end(key, kStep);
  std::string out = "/";
  for (char c : shown) {
    out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  if (shown.size() < key.size()) out += "…";
  return out;
}

std::string count_of(std::uint64_t number, std::string_view noun) {
  std::string text = std::to_string(number) + " " + std::string(noun);
  if (number == 1) return text;
  if (!text.ends_with('y')) return text + "s";
  text.back() = 'i';
  return text + "es";
}

}  // namespace moonlet::schema
