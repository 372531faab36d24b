// Exchanges files between two folders, even if one of the files is missing. Any thread.
// A kill leaves either the old or the new file in place, and loses neither of them.
// Moves a symbolic link itself, not its target.
#pragma once

#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Describes a file as a text: "" (missing), "directory", "special", "file <mode> <sha256>",
/// "link <sha256 of its target>", or "beyond" if a folder of the path is a link.
/// With `durable`, waits until the file is on the disk.
Result<std::string> content_of(const Dir& dir, std::string_view rel, Durable durable);

/// Exchanges the file or link `path` in `dir` with the file or link `name` in `other`.
/// Refuses folders. Overwrites no file that another process creates during the call.
/// If the system has no atomic exchange, the old file is also named `name`.old for a moment.
Result<void> swap_files(const Dir& dir, std::string_view path, const Dir& other,
                        std::string_view name);

/// Prepares the file `rel` in `dir`, which is to replace the file `path` in `place`.
/// Copies the owner, group and attributes of the file that will be replaced. If it is missing,
/// applies its folder's group (if set-group-ID) and default ACL. Skips changes that the user is not
/// permitted to make.
Result<void> inherit(const Dir& dir, std::string_view rel, const Dir& place, std::string_view path);

Result<void> set_mode(const Dir& dir, std::string_view rel, unsigned mode);

/// Removes an empty directory. Returns false if `rel` is missing, not empty or not a directory.
Result<bool> remove_empty(const Dir& dir, std::string_view rel);

}  // namespace moonlet
