// JSON as the host writes it into files: indented, valid UTF-8 whatever the strings hold, never
// deeper than a reader can bear. Pure functions, any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "host/base/result.h"

namespace moonlet {

/// Writers and readers of JSON recurse; what an agent returns may be 100,000 levels deep.
constexpr int kDeepestJson = 500;

/// The text with a line end, or kLimit when the value is nested deeper than kDeepestJson.
Result<std::string> json_text(const nlohmann::json& value);

}  // namespace moonlet
