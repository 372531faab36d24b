// Classifies a server's errors, and computes the wait before a retry. Pure, any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "host/executor/http/turn.h"

namespace moonlet::executor {

using Headers = std::map<std::string, std::string>;  ///< header names are in lower case

/// Classifies an HTTP response whose status is not 200. `now_ms` counts since 1970.
Failure failure_of(int status, const Headers& headers, std::string_view body, std::int64_t now_ms);
/// Classifies an error object {code, message, type} that a server has sent in a stream.
Failure failure_of_error(const nlohmann::json& error);

/// Parses "1.5" (seconds), "1m30s" or "500ms" into milliseconds. Returns -1 for another format.
std::int64_t duration_ms(const std::string& text);
/// Returns how many ms the response's headers ask to wait, or -1. `now_ms` counts since 1970.
std::int64_t retry_after(const Headers& headers, std::int64_t now_ms);

/// Returns true if the same request may succeed later.
bool may_retry(const Failure& failure);
/// Returns how many ms to pause after `tries` attempts: the time that the server asks for, or else
/// an exponential backoff of at most 30 s. `jitter` is between 0 and 1.
std::int64_t pause_of(const Failure& failure, int tries, double jitter);

}  // namespace moonlet::executor
