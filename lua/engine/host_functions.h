// The subclass NativeTable implements it. Loop thread only.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "host/base/operation.h"
#include "host/base/result.h"

namespace moonlet {

/// HostCall is a pending call of a native function.
/// It completes when the program answers, when the call is cancelled, or at its time limit.
class HostCall : public Operation {
 public:
  /// Returns the function's result. Valid only after the call has completed.
  virtual const Result<nlohmann::json>& result() const = 0;
};

/// Maps a preset's name to its files, and a file's name to its text.
using HostPresets = std::map<std::string, std::map<std::string, std::string>, std::less<>>;

class HostFunctions {
 public:
  virtual ~HostFunctions() = default;
  /// Returns {name: {"effect", "summary"}} of all functions.
  virtual const nlohmann::json& functions() const = 0;
  virtual const HostPresets& presets() const = 0;
  /// Calls a function. Fails with kInvalid if the function does not exist, or if the arguments do
  /// not match its schema.
  virtual Result<std::shared_ptr<HostCall>> call(const std::string& name, nlohmann::json arguments,
                                                 const std::string& run,
                                                 const std::string& step) = 0;
};

}  // namespace moonlet
