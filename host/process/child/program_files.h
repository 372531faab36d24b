// Lists the files that a program needs, for a child with restricted reads. Derives them from the
// program's path and first bytes, without running the program. Any thread.
#pragma once

#include <string>
#include <vector>

namespace moonlet {

/// Returns the program with its links followed, its folder, and `lib` beside a folder `bin`.
/// Includes the same paths of a #! interpreter, also through env.
/// Omits home directories and world-writable folders, which contain foreign files.
std::vector<std::string> program_files(const std::string& program, const char* search_path,
                                       const std::string& cwd,
                                       const std::vector<std::string>& homes);

}  // namespace moonlet
