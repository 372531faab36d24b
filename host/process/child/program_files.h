// Lists the files that a program needs, as its path shows them, for a child with restricted reads.
// Reads a few bytes of the program; runs no program. Any thread.
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
