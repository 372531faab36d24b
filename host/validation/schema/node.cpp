#include "host/validation/schema/node.h"

#include <algorithm>

#include "host/validation/schema/error.h"

namespace moonlet::schema {

std::string pointer_text(const Place& place) {
  std::vector<const Place*> chain;
  const Place* at = &place;
  for (; at->parent != nullptr; at = at->parent) chain.push_back(at);
  std::string out = std::string(at->document) + "#";
  std::for_each(chain.rbegin(), chain.rend(), [&](const Place* step) {
    if (!step->keyword.empty()) out += pointer_step(step->keyword);
    if (step->key != nullptr) out += pointer_step(*step->key);
    if (step->index != kNoIndex) out += "/" + std::to_string(step->index);
  });
  return out;
}

TypeSet type_of(const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::null:
      return kNull;
    case nlohmann::json::value_t::boolean:
      return kBoolean;
    case nlohmann::json::value_t::string:
      return kString;
    case nlohmann::json::value_t::array:
      return kArray;
    case nlohmann::json::value_t::object:
      return kObject;
    case nlohmann::json::value_t::number_float:
      return is_integral(value) ? kInteger : kNumber;
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned:
      return kInteger;
    default:
      return 0;
  }
}

std::string type_names(TypeSet types) {
  // "a number" includes the integers, so do not name both.
  if (types & kNumber) types = static_cast<TypeSet>(types & ~kInteger);
  constexpr std::pair<TypeSet, const char*> kNames[] = {
      {kString, "a string"}, {kInteger, "an integer"},
      {kNumber, "a number"}, {kBoolean, "true or false"},
      {kArray, "an array"},  {kObject, "an object"},
      {kNull, "null"}};
  std::string out;
  for (const auto& [type, name] : kNames) {
    if (!(types & type)) continue;
    if (!out.empty()) out += " or ";
    out += name;
  }
  return out;
}

}  // namespace moonlet::schema
