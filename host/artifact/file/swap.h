// Exchanges files of two folders atomically, also if either file is missing. Any thread.
// Every name keeps a file during an exchange. A kill leaves either the old or the new state.
// Exchanging moves links and never follows links.
#pragma once

#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Returns the state of a name as a text: "" (missing), "directory", "special".
/// Files and links become "file 644 <sha256>" and "link <sha256 of its target>".
/// "beyond" means that a folder of the path is a link. With `durable`, waits for the disk.
Result<std::string> content_of(const Dir& dir, std::string_view rel, Durable durable);

/// Exchanges the file or link `path` of `dir` with `name` of `other`. Refuses folders.
/// Does not overwrite a name that another process takes at the same time.
/// Without an atomic exchange, the old file also has the name `name`.old for a moment.
Result<void> swap_files(const Dir& dir, std::string_view path, const Dir& other,
                        std::string_view name);

/// Prepares `rel` of `dir` to replace `path` of `place`: copies owner, group and attributes.
/// If `path` is missing, applies the folder's group and default access list.
/// Omits changes that the user may not make.
Result<void> inherit(const Dir& dir, std::string_view rel, const Dir& place, std::string_view path);

Result<void> set_mode(const Dir& dir, std::string_view rel, unsigned mode);

/// Removes an empty directory. Returns false if it is not empty or no directory.
Result<bool> remove_empty(const Dir& dir, std::string_view rel);

}  // namespace moonlet
