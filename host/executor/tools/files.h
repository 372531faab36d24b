// Read, Write and Edit: whole text files beneath the root. They follow no link when they write, and
// replace a file as one step. Any thread.
#pragma once

#include <unistd.h>

#include "host/executor/tools/tool.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

ToolResult read_tool(const Workspace& workspace, const Arguments& arguments);
ToolResult write_tool(const Workspace& workspace, const Arguments& arguments);
ToolResult edit_tool(const Workspace& workspace, const Arguments& arguments);

/// Tries again for some milliseconds: a path that others replace at the moment is whole soon after.
template <typename Open>
auto patiently(Open open) {
  for (int tries = 0;; ++tries) {
    auto opened = open();
    if (opened || tries == 4) return opened;
    ::usleep(200U << tries);
  }
}

/// The text of a regular file that is neither huge nor binary.
Result<std::string> read_text(const Dir& root, const std::string& rel);

}  // namespace moonlet::executor
