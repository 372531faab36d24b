// Puts files in place and keeps the ones they replace: the file of one folder and the file of
// another change places as one step, also where one of the two is missing. No name is without its
// file meanwhile, and a process that is killed leaves the one state or the other. Links are moved,
// never followed. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// The state of a name as a text that changes with it: "" (missing), "file 644 <sha256>", "link
/// <sha256 of its target>", "directory", "special", or "beyond" where a folder of the path is a
/// link. With `durable` a file has reached the disk on return.
Result<std::string> content_of(const Dir& dir, std::string_view rel, Durable durable);

/// The file or link `path` of `dir` and `name` of `other` change places. A name that is taken
/// meanwhile is not overwritten. On a system without an atomic exchange, the old file at `path` has
/// a second name, `name` + ".old", until the exchange is done. Folders are refused.
Result<void> swap_files(const Dir& dir, std::string_view path, const Dir& other,
                        std::string_view name);

/// Prepares `rel` of `dir` for the place `path` of `place`: it gets the owner, the group and the
/// extended attributes of the file there. Where there is none, it gets the group and the access
/// list that a folder hands on to new files. A change that this user may not make is left out.
Result<void> inherit(const Dir& dir, std::string_view rel, const Dir& place, std::string_view path);

/// Gives a regular file these permission bits.
Result<void> set_mode(const Dir& dir, std::string_view rel, unsigned mode);

/// Removes an empty directory; false when it is not empty, or no directory.
Result<bool> remove_empty(const Dir& dir, std::string_view rel);

}  // namespace moonlet
