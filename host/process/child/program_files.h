// Lists the files of a program that its path shows, for a child with restricted reads.
// Reads a few bytes of the program; runs no program. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Absolute paths: the program with its links followed, the folder that it lies in (its libraries,
/// the modules of a script), the lib beside a bin, and the same for the interpreter that its #!
/// line names, also through env. A folder that holds a home directory or that anybody may write to
/// is left out, because most files there do not belong to the program. `homes` are home
/// directories.
std::vector<std::string> program_files(const std::string& program, const char* search_path,
                                       const std::string& cwd,
                                       const std::vector<std::string>& homes);

}  // namespace moonlet
