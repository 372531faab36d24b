// Formats values, lists and suggestions for validation errors. All results are short, whatever the
// input. All functions are pure and thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace moonlet::schema {

/// Formats a string as JSON, shortened to about eighty bytes.
std::string show_text(std::string_view text);

/// Describes a value in a few words, for example: "hgih"; 12; an array of 3 items.
std::string show(const nlohmann::json& value);

/// Formats a list as: "a", "b" and "c". `last_word` stands before the last name. Shortens a long
/// list: "a", "b" and 4 more.
std::string list_texts(const std::vector<std::string_view>& texts, std::string_view last_word);

/// Returns the candidate that `word` probably misspells; "" if none is similar.
std::string_view near_name(std::string_view word, const std::vector<std::string_view>& candidates);

/// Formats `key` as a step of a JSON pointer: escapes "~" and "/", and shortens a long key.
std::string pointer_step(std::string_view key);

/// Returns the number and the noun, in the plural if needed: "1 item", "3 items".
std::string count_of(std::uint64_t number, std::string_view noun);

}  // namespace moonlet::schema
