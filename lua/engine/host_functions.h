// HostFunctions offers a program's functions and presets to core.host.
// NativeTable implements HostFunctions. Loop thread only.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "host/base/operation.h"
#include "host/base/result.h"

namespace moonlet {

/// HostCall is a call of a native function.
/// It completes when the program answers, at the time limit, or on a cancel.
class HostCall : public Operation {
 public:
  /// Valid after the call has completed.
  virtual const Result<nlohmann::json>& result() const = 0;
};

/// Maps preset names to file names to texts.
using HostPresets = std::map<std::string, std::map<std::string, std::string>, std::less<>>;

class HostFunctions {
 public:
  virtual ~HostFunctions() = default;
  /// Returns {name: {"effect", "summary"}}.
  virtual const nlohmann::json& functions() const = 0;
  virtual const HostPresets& presets() const = 0;
  /// Calls a function. Fails with kInvalid if it does not exist or the arguments do not match its
  /// schema.
  virtual Result<std::shared_ptr<HostCall>> call(const std::string& name, nlohmann::json arguments,
                                                 const std::string& run,
                                                 const std::string& step) = 0;
};

}  // namespace moonlet
