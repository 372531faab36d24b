// Toolbox describes the tools to the model, parses the arguments of its calls and runs them. Tool
// output is valid UTF-8, redacted and limited in size. Single-threaded.
#pragma once

#include <string>

#include "host/executor/http/items.h"
#include "host/executor/http/limit.h"
#include "host/executor/tools/bash.h"
#include "host/executor/tools/tool.h"
#include "host/executor/tools/workspace.h"
#include "host/telemetry/secret/redact.h"

namespace moonlet::executor {

class Toolbox {
 public:
  /// Borrows all arguments. Without `bash`, there is no tool Bash.
  Toolbox(const Workspace& workspace, Bash* bash, const Redactor& redactor, bool read_only)
      : workspace_(workspace), bash_(bash), redactor_(redactor), read_only_(read_only) {}

  nlohmann::json specs() const;
  /// Summarizes a call on one line for users: its path, pattern or command.
  std::string detail(const Call& call) const;
  /// Returns true if the tool has side effects, so that a call must not be repeated.
  static bool has_effect(const std::string& name);
  ToolResult run(const Call& call, const Limit& limit);

 private:
  ToolResult run_checked(const Call& call, const Limit& limit);

  const Workspace& workspace_;
  Bash* bash_;
  const Redactor& redactor_;
  bool read_only_;
};

}  // namespace moonlet::executor
