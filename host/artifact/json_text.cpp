#include "host/artifact/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace moonlet {

namespace {

bool deeper_than(const nlohmann::json& value, int levels) {
  if (!value.is_structured()) return false;
  return levels == 0 || std::any_of(value.begin(), value.end(), [&](const auto& item) {
           return deeper_than(item, levels - 1);
         });
}

}  // namespace

Result<std::string> json_text(const nlohmann::json& value) {
  if (deeper_than(value, kDeepestJson)) {
    Error error;
    error.kind = ErrorKind::kLimit;
    error.message = "a JSON value is nested more than " + std::to_string(kDeepestJson) + " deep";
    error.hint = "return a flatter value";
    return error;
  }
  return value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace moonlet
