// Classifies the errors of a server and computes the wait before a retry.
// All functions are pure and may run on any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "host/executor/http/turn.h"

namespace moonlet::executor {

using Headers = std::map<std::string, std::string>;  ///< names in lower case

/// Classifies an HTTP answer.
Failure failure_of(int status, const Headers& headers, std::string_view body, std::int64_t now_ms);
/// Classifies an error object {code, message, type} in a stream.
Failure failure_of_error(const nlohmann::json& error, std::string_view what);

/// Returns the wait in ms that the headers ask for, or -1. `now_ms` counts since 1970.
std::int64_t retry_after(const Headers& headers, std::int64_t now_ms);

/// Returns true if a retry may succeed.
bool may_retry(const Failure& failure);
/// Returns the pause in ms after `tries` attempts: the server's, or exponential backoff.
/// Backoff is at most 30 s. `jitter` is between 0 and 1.
std::int64_t pause_of(const Failure& failure, int tries, double jitter);

/// Returns the text member `name` of `object`; "" if it is missing or no text.
std::string text_of(const nlohmann::json& object, const char* name);
/// Returns the member `name` of `object` if it is an object, otherwise null.
const nlohmann::json& object_of(const nlohmann::json& object, const char* name);
std::int64_t count_of(const nlohmann::json& object, const char* name);

}  // namespace moonlet::executor
