// Startup files are files of a repository that can start programs, as soon as an editor or another
// tool opens the repository, or when git is used.
// A merge leaves changed startup files to a person. The executor's tools can write startup files
// only with the option --startup-files.
// A name counts as a startup file in any folder and letter case. Build files do not count.
// All functions are pure and may run on any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Returns true if a relative path is a startup file or lies in a startup folder.
/// Returns false if `writes`, the list of allowed paths, names the path itself, its startup folder,
/// or a folder between them.
bool is_startup_file(std::string_view path, const std::vector<std::string>& writes = {});
/// Returns true for the path of a folder in which every file is a startup file.
bool is_startup_folder(std::string_view path);

}  // namespace moonlet
