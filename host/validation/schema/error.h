// The words of validation errors: values shown shortly and safely, lists, near names. Pure
// functions, any thread; all results are bounded in length whatever the input.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace moonlet::schema {

/// A text as a JSON string of at most some eighty characters, control characters escaped.
std::string show_text(std::string_view text);

/// A value in a few words: "hgih" in quotes, 12, an array of 3 items.
std::string show(const nlohmann::json& value);

/// "a", "b", "c" and 4 more.
std::string list_texts(const std::vector<std::string_view>& texts, std::string_view last_word);

/// The candidate that differs from `word` by a slip of the hand; "" when none does.
std::string_view near_name(std::string_view word, const std::vector<std::string_view>& candidates);

/// One step of a JSON pointer, with "~" and "/" escaped and long keys shortened.
std::string pointer_step(std::string_view key);

/// "1 item", "3 items".
std::string count_of(std::uint64_t number, std::string_view noun);

}  // namespace moonlet::schema
