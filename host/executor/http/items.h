// Reads and makes the items of a conversation, in the format of the Responses API. Items come from
// the server, so any field may be missing or have a wrong type. All functions are pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace moonlet::executor {

/// Returns the string member `name` of `object`; "" if it is missing or not a string.
std::string text_of(const nlohmann::json& object, const char* name);
/// Returns the member `name` of `object` if it is an object; otherwise a JSON null.
const nlohmann::json& object_of(const nlohmann::json& object, const char* name);
/// Returns the member `name` of `object` if it is an array; otherwise an empty array.
const nlohmann::json& array_of(const nlohmann::json& object, const char* name);
/// Returns the integer member `name`, limited so that sums cannot overflow; 0 if it is missing.
std::int64_t count_of(const nlohmann::json& object, const char* name);

bool is_type(const nlohmann::json& item, std::string_view type);
nlohmann::json message_item(const char* role, const char* type, const std::string& text);

/// Joins two texts by a line feed, unless one is empty.
std::string joined(const std::string& one, const std::string& other);

/// Said collects the texts and refusals of messages.
struct Said {
  std::string text, refusal;
  /// Adds a message. Ignores an item of another type, such as reasoning.
  void add(const nlohmann::json& item);
};

struct Call {
  std::string id;  ///< unique within the conversation
  std::string name;
  std::string arguments;  ///< JSON text from the model, not validated
  bool whole = true;      ///< false if the answer ended before the call was complete
};

/// Returns the tool calls that have no output yet, in order.
std::vector<Call> open_calls(const nlohmann::json& items);

}  // namespace moonlet::executor
