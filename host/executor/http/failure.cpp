#include "host/executor/http/failure.h"

#include <curl/curl.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "host/base/ascii.h"
#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/http/items.h"

namespace moonlet::executor {

namespace {

using Kind = Failure::Kind;
constexpr std::int64_t kLongestPause = 30'000;
constexpr std::size_t kMessageCap = 2000;

bool has_any(const std::string& text, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return text.find(word) != std::string::npos; });
}

bool is_context(const std::string& said) {
  return has_any(said, {"context_length", "context length", "context window", "context size",
                        "maximum context", "too many tokens", "prompt is too long",
                        "input is too long", "reduce the length", "exceeds the available context"});
}

bool is_quota(const std::string& said) {
  return has_any(said, {"insufficient_quota", "exceeded your current quota", "usage_limit_reached",
                        "billing_hard_limit", "credit balance"});
}

bool is_model(const std::string& said) {
  return has_any(said, {"model_not_found", "model not found", "does not exist"}) ||
         (said.find("model") != std::string::npos && said.find("not found") != std::string::npos);
}

Kind kind_of(int status, const std::string& said) {
  if (is_quota(said)) return Kind::kQuota;
  if (is_context(said) || status == 413) return Kind::kContext;
  if (status == 401 || status == 403) return Kind::kAuth;
  if (status == 429) return Kind::kRate;
  if (status == 404 || status == 405 || status == 501) {
    return is_model(said) ? Kind::kRefused : Kind::kNoSuchApi;
  }
  if (status == 408 || status == 409 || status == 425 || status >= 500) return Kind::kNetwork;
  return Kind::kRefused;
}

struct Reason {
  std::string message;
  std::string all;  // all that the server says, in lower case
};

/// Reads an error, which is an object or a text. `other` is its message if it has none.
Reason reason_of(const nlohmann::json& error, std::string_view other) {
  Reason reason{error.is_string() ? error.get<std::string>() : text_of(error, "message"), {}};
  if (reason.message.empty()) reason.message = text_of(error, "detail");
  if (reason.message.empty()) reason.message = other;
  for (const char* name : {"code", "type", "param"}) reason.all += text_of(error, name) + " ";
  reason.all = lower(reason.all + reason.message);
  return reason;
}

const std::string* find(const Headers& headers, const char* name) {
  const auto found = headers.find(name);
  return found == headers.end() ? nullptr : &found->second;
}

}  // namespace

const char* to_string(Kind kind) {
  // in the order of Failure::Kind
  static constexpr const char* kNames[] = {"network", "rate",       "quota",   "auth",
                                           "context", "refused",    "refused", "invalid-output",
                                           "timeout", "interrupted"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::int64_t duration_ms(const std::string& text) {
  double total = 0;
  const char* at = text.c_str();
  if (*at == 0) return -1;
  while (*at != 0) {
    char* end = nullptr;
    const double number = std::strtod(at, &end);
    if (end == at || !std::isfinite(number) || number < 0) return -1;
    const std::string unit(end, std::strspn(end, "hms"));
    const double factor = unit.empty() || unit == "s" ? 1000
                          : unit == "ms"              ? 1
                          : unit == "m"               ? 60'000
                          : unit == "h"               ? 3'600'000
                                                      : -1;
    if (factor < 0) return -1;
    total += number * factor;
    at = end + unit.size();
  }
  return static_cast<std::int64_t>(std::min(total, 1e12));
}

std::int64_t retry_after(const Headers& headers, std::int64_t now_ms) {
  if (const auto* ms = find(headers, "retry-after-ms")) {
    if (const auto pause = duration_ms(*ms + "ms"); pause >= 0) return pause;
  }
  if (const auto* after = find(headers, "retry-after")) {
    if (const auto pause = duration_ms(*after); pause >= 0) return pause;
    const time_t moment = curl_getdate(after->c_str(), nullptr);
    if (moment >= 0) {
      return std::max<std::int64_t>(0, static_cast<std::int64_t>(moment) * 1000 - now_ms);
    }
  }
  // The x-ratelimit headers say when a limit resets. Wait only for a limit that is used up.
  std::int64_t longest = -1;
  for (const char* what : {"requests", "tokens"}) {
    const auto* left = find(headers, ("x-ratelimit-remaining-" + std::string(what)).c_str());
    const auto* reset = find(headers, ("x-ratelimit-reset-" + std::string(what)).c_str());
    if (reset != nullptr && (left == nullptr || *left == "0")) {
      longest = std::max(longest, duration_ms(*reset));
    }
  }
  return longest;
}

Failure failure_of_error(const nlohmann::json& error) {
  const Reason reason = reason_of(error, "it gives no reason");
  const std::string& said = reason.all;
  Failure failure;
  failure.message = "the model's answer failed: " + printable(reason.message, kMessageCap);
  if (const auto status = count_of(error, "code"); status >= 400 && status < 600) {
    failure.status = static_cast<int>(status);
    failure.kind = kind_of(failure.status, said);
  } else if (is_quota(said)) {
    failure.kind = Kind::kQuota;
  } else if (is_context(said)) {
    failure.kind = Kind::kContext;
  } else if (said.find("rate_limit") != std::string::npos) {
    failure.kind = Kind::kRate;
  } else if (has_any(said, {"invalid_prompt", "invalid_request", "content_policy", "safety"})) {
    failure.kind = Kind::kRefused;
  } else {
    failure.kind = Kind::kNetwork;
  }
  return failure;
}

Failure failure_of(int status, const Headers& headers, std::string_view body, std::int64_t now_ms) {
  nlohmann::json error;
  if (auto parsed = parse_json(body)) {
    error = parsed->is_object() && parsed->contains("error") ? (*parsed)["error"] : *parsed;
  }
  const Reason reason = reason_of(error, body.substr(0, 300));
  Failure failure{kind_of(status, reason.all), "the server answered " + std::to_string(status),
                  status, retry_after(headers, now_ms)};
  if (!reason.message.empty()) failure.message += ": " + printable(reason.message, kMessageCap);
  if (const auto* place = find(headers, "location"); place != nullptr && status / 100 == 3) {
    failure.message += "; it redirects to " + printable(*place, 200) + ", which is not followed";
  }
  return failure;
}

bool may_retry(const Failure& failure) {
  return failure.kind == Kind::kNetwork || failure.kind == Kind::kRate;
}

std::int64_t pause_of(const Failure& failure, int tries, double jitter) {
  if (failure.retry_after_ms >= 0) return failure.retry_after_ms;
  const double base = 500.0 * std::pow(2.0, std::min(tries - 1, 10));
  const double pause = std::min<double>(base, kLongestPause);
  return static_cast<std::int64_t>(pause * (0.5 + 0.5 * jitter));
}

}  // namespace moonlet::executor
