#include "host/executor/http/items.h"

#include <algorithm>
#include <set>

namespace moonlet::executor {

using nlohmann::json;

namespace {

constexpr std::int64_t kLargestCount = 1'000'000'000'000;

/// Returns a member of a JSON object. Returns nullptr if `object` is not a JSON object, or has no
/// such member.
const json* find(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::string text_of(const json& object, const char* name) {
  const json* found = find(object, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

const json& object_of(const json& object, const char* name) {
  static const json none;
  const json* found = find(object, name);
  return found != nullptr && found->is_object() ? *found : none;
}

const json& array_of(const json& object, const char* name) {
  static const json none = json::array();
  const json* found = find(object, name);
  return found != nullptr && found->is_array() ? *found : none;
}

std::int64_t count_of(const json& object, const char* name) {
  const json* found = find(object, name);
  if (found == nullptr || !found->is_number_integer()) return 0;
  if (found->is_number_unsigned()) {
    return static_cast<std::int64_t>(
        std::min<std::uint64_t>(kLargestCount, found->get<std::uint64_t>()));
  }
  return std::clamp<std::int64_t>(found->get<std::int64_t>(), 0, kLargestCount);
}

bool is_type(const json& item, std::string_view type) { return text_of(item, "type") == type; }

json message_item(const char* role, const char* type, const std::string& text) {
  const char* field = type == std::string_view("refusal") ? "refusal" : "text";
  return {{"type", "message"},
          {"role", role},
          {"content", json::array({{{"type", type}, {field, text}}})}};
}

std::string joined(const std::string& one, const std::string& other) {
  return one + (one.empty() || other.empty() ? "" : "\n") + other;
}

void Said::add(const json& item) {
  if (!is_type(item, "message")) return;
  text = joined(text, text_of(item, "content"));
  for (const json& part : array_of(item, "content")) {
    text = joined(text, text_of(part, "text"));
    refusal = joined(refusal, text_of(part, "refusal"));
  }
}

std::vector<Call> open_calls(const json& items) {
  std::set<std::string> answered;
  for (const json& item : items) {
    if (is_type(item, "function_call_output")) answered.insert(text_of(item, "call_id"));
  }
  std::vector<Call> calls;
  for (const json& item : items) {
    if (!is_type(item, "function_call")) continue;
    const std::string id = text_of(item, "call_id");
    if (answered.count(id) > 0) continue;
    calls.push_back({id, text_of(item, "name"), text_of(item, "arguments"),
                     text_of(item, "status") != "incomplete"});
  }
  return calls;
}

}  // namespace moonlet::executor
