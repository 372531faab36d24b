#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "host/base/result.h"

namespace moonlet::executor {

struct ToolResult {
  enum class Status { kOk, kFailed, kDenied };

  ToolResult(std::string text = {}, Status how = Status::kOk)  // NOLINT: implicit
      : output(std::move(text)), status(how) {}
  ToolResult(const Error& error)  // NOLINT: implicit, so that a tool returns an error as it is
      : output("error: " + error.message + (error.hint.empty() ? "" : "\nhint: " + error.hint)),
        status(error.kind == ErrorKind::kDenied ? Status::kDenied : Status::kFailed) {}

  std::string output;
  Status status;
  int exit_code = -1;  ///< exit code of a Bash command; -1: none
};

inline Error invalid(std::string message, std::string hint) {
  return {ErrorKind::kInvalid, std::move(message), std::move(hint)};
}

/// Arguments reads the arguments of a tool call. An error names the argument.
class Arguments {
 public:
  explicit Arguments(const nlohmann::json& values) : values_(values) {}

  Result<std::string> text(const char* name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return wrong(name, "missing");
    if (!found->is_string()) return wrong(name, "not a text");
    return found->get<std::string>();
  }
  Result<std::string> text_or(const char* name, const char* other) const {
    return has(name) ? text(name) : Result<std::string>(std::string(other));
  }
  Result<std::int64_t> integer_or(const char* name, std::int64_t other) const {
    if (!has(name)) return other;
    const auto& value = values_[name];
    // Clamp numbers that are larger than any useful value.
    if (value.is_number()) {
      return static_cast<std::int64_t>(std::clamp(value.get<double>(), -kLargest, kLargest));
    }
    return wrong(name, "not a number");
  }
  bool flag(const char* name) const {
    return has(name) && values_[name].is_boolean() && values_[name].get<bool>();
  }

 private:
  bool has(const char* name) const {
    const auto found = values_.find(name);
    return found != values_.end() && !found->is_null();
  }
  static Error wrong(const char* name, const char* what) {
    return invalid(std::string("the argument '") + name + "' is " + what, {});
  }

  static constexpr double kLargest = 1e15;
  const nlohmann::json& values_;
};

}  // namespace moonlet::executor
