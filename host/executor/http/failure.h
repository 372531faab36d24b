// Classifies the errors of a server, and computes the wait before a retry. Pure functions; any
// thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "host/executor/http/turn.h"

namespace moonlet::executor {

using Headers = std::map<std::string, std::string>;  ///< names in lower case

/// The failure of an HTTP answer.
Failure failure_of(int status, const Headers& headers, std::string_view body, std::int64_t now_ms);
/// The failure of an error object in a stream: {code, message, type}.
Failure failure_of_error(const nlohmann::json& error, std::string_view what);

/// The wait in ms that the headers ask for, or -1. `now_ms`: since 1970.
std::int64_t retry_after(const Headers& headers, std::int64_t now_ms);

/// True for failures after which a retry may succeed.
bool may_retry(const Failure& failure);
/// The pause before attempt `tries` + 1: what the server asks for, otherwise exponential backoff up
/// to 30 s. `jitter` is between 0 and 1.
std::int64_t pause_of(const Failure& failure, int tries, double jitter);

/// The text of a JSON value; "" when it is something else.
std::string text_of(const nlohmann::json& object, const char* name);
/// The member `name` of `object` if it is an object, otherwise null.
const nlohmann::json& object_of(const nlohmann::json& object, const char* name);
std::int64_t count_of(const nlohmann::json& object, const char* name);

}  // namespace moonlet::executor
