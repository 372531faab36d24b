// The startup files of a repository: they make programs start on the user's machine, as soon as a
// tool opens their folder, or with the next command of git. A merge holds them back, and the
// executor's tools do not write them. They count in any folder; names are compared without regard
// to capitals. Build files are not among them: they start nothing until somebody builds. Pure
// functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

/// True for the path of a file or link, relative to the repository, that is a startup file or lies
/// in a startup folder, unless one of `writes` names that file or folder itself or what lies in it.
bool is_startup_file(std::string_view path, const std::vector<std::string>& writes = {});
/// True for the path of a folder in which everything counts.
bool is_startup_folder(std::string_view path);

}  // namespace moonlet
