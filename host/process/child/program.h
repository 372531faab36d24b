// Finds the program that a command names, and explains why it cannot run. Runs nothing. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

/// Resolves `name` for a child with the PATH `path` (null: none) in `cwd` (empty: the caller's).
/// Fails if the program is missing, not executable, or a folder.
Result<std::string> find_program(std::string_view name, const char* path, const std::string& cwd);

/// Returns the path of this process's executable; "" where the system hides it, as without /proc.
std::string running_program();

/// Explains a failed exec of `path` to the user.
Error exec_error(int number, const std::string& path);
/// Explains to the user why the working directory `path` cannot be entered.
Error cwd_error(int number, const std::string& path);

}  // namespace moonlet
