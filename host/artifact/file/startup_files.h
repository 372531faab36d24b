// Startup files make a tool run programs as soon as it opens a repository, or make git run some.
// A merge holds startup files back, and the executor's tools cannot write them.
// A name counts as a startup file in any folder and letter case. Build files do not count.
// All functions are pure and may run on any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// Returns true if a relative path is a startup file or lies in a startup folder.
/// `writes` lists allowed paths: returns false if one of them is the startup file or folder, or is
/// in the startup folder and contains the path.
bool is_startup_file(std::string_view path, const std::vector<std::string>& writes = {});
/// Returns true for the path of a folder in which every file is a startup file.
bool is_startup_folder(std::string_view path);

}  // namespace moonlet
