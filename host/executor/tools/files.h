// Implements the tools Read, Write and Edit for text files below the root. Any thread. Writing does
// not follow symbolic links and replaces a file atomically.
#pragma once

#include <unistd.h>

#include "host/executor/tools/tool.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

ToolResult read_tool(const Workspace& workspace, const Arguments& arguments);
ToolResult write_tool(const Workspace& workspace, const Arguments& arguments);
ToolResult edit_tool(const Workspace& workspace, const Arguments& arguments);

/// Retries `open` for some milliseconds, because another process may be replacing the file.
template <typename Open>
auto patiently(Open open) {
  for (int tries = 0;; ++tries) {
    auto opened = open();
    if (opened || tries == 4) return opened;
    ::usleep(200U << tries);
  }
}

/// Reads a regular text file. Refuses huge and binary files.
Result<std::string> read_text(const Dir& root, const std::string& rel);

}  // namespace moonlet::executor
