// Toolbox has the tools that a model may call. It describes them, parses the arguments of a call
// and makes the output safe (valid UTF-8, redacted, bounded). It does not own the state of a tool.
// One thread.
#pragma once

#include <string>

#include "host/executor/http/turn.h"
#include "host/executor/tools/bash.h"
#include "host/executor/tools/limit.h"
#include "host/executor/tools/tool.h"
#include "host/executor/tools/workspace.h"
#include "host/telemetry/secret/redact.h"

namespace moonlet::executor {

class Toolbox {
 public:
  /// All are borrowed. A null `bash` removes the tool Bash.
  Toolbox(const Workspace& workspace, Bash* bash, const Redactor& redactor, bool read_only)
      : workspace_(workspace), bash_(bash), redactor_(redactor), read_only_(read_only) {}

  /// Returns the tools in the flat form of the Responses API.
  nlohmann::json specs() const;
  /// A one-line summary for users: the path, pattern or command of a call.
  std::string detail(const Call& call) const;
  /// True for calls that are not idempotent, because they change something.
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
