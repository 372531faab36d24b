// Glob and Grep: names and lines beneath the root. They follow no link to a folder, and stop at a
// number of results and of files looked at, or at the limit. Any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "host/executor/tools/limit.h"
#include "host/executor/tools/tool.h"
#include "host/executor/tools/workspace.h"

namespace moonlet::executor {

ToolResult glob_tool(const Workspace& workspace, const Arguments& arguments,
                     const Limit& limit = {});
ToolResult grep_tool(const Workspace& workspace, const Arguments& arguments,
                     const Limit& limit = {});

/// The regular expression of a glob: `*` and `?` stay within a name, `**` does not, and there are
/// [a-z], [!a-z] and {a,b}. A pattern without a slash means names in any folder.
std::string regex_of_glob(std::string_view glob);

}  // namespace moonlet::executor
