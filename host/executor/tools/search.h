// Implements the tools Glob and Grep, which find file names and lines below the root. Any thread.
// They do not follow symbolic links to folders. The number of results, the visited files and the
// time are limited.
#pragma once

#include <string>
#include <string_view>

#include "host/executor/http/limit.h"
#include "host/executor/tools/tool.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

ToolResult glob_tool(const Workspace& workspace, const Arguments& arguments,
                     const Limit& limit = {});
ToolResult grep_tool(const Workspace& workspace, const Arguments& arguments,
                     const Limit& limit = {});

/// Converts a glob to a regular expression: `*`, `?`, `**` (across folders), [a-z], [!a-z], {a,b}.
/// A glob without a slash matches names in any folder.
std::string regex_of_glob(std::string_view glob);

}  // namespace moonlet::executor
