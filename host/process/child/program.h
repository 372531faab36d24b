// The program that a command names, and what hinders it from running. Runs nothing. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

/// The absolute or cwd-relative path that `name` means to a child with this PATH (null: it has
/// none) in `cwd` (empty: the caller's). Errors: not found (which PATH), not executable, a folder.
Result<std::string> find_program(std::string_view name, const char* path, const std::string& cwd);

/// Explains a failed exec of `path` to the person who asked for it.
Error exec_error(int number, const std::string& path);

}  // namespace moonlet
