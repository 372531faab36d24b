// Formats values, lists and similar names in validation errors.
// All texts are short whatever the input. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace moonlet::schema {

/// Formats a text as a JSON string of at most about eighty characters.
std::string show_text(std::string_view text);

/// Describes a value in a few words: "hgih", 12, an array of 3 items.
std::string show(const nlohmann::json& value);

/// Formats the list: "a", "b", "c" and 4 more.
std::string list_texts(const std::vector<std::string_view>& texts, std::string_view last_word);

/// Returns the candidate that `word` probably misspells; "" without a similar name.
std::string_view near_name(std::string_view word, const std::vector<std::string_view>& candidates);

/// Escapes "~" and "/" in a step of a JSON pointer, and shortens long keys.
std::string pointer_step(std::string_view key);

/// Formats "1 item" or "3 items".
std::string count_of(std::uint64_t number, std::string_view noun);

}  // namespace moonlet::schema
