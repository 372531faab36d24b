// Puts files in place so that what was there before is kept: the file of one folder and the file of
// another change places as one step, also where one of the two is not there. No name is without its
// file meanwhile, and a process that is killed leaves the one state or the other. Links are moved
// as what they are; nothing is reached through one. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// What a name stands for, as a text that differs when it differs: "" nothing, "file 644 <sha256>",
/// "link <sha256 of where it leads>", "directory", "special", or "beyond" where a folder of the
/// path is a link. With `durable` a file has reached the disk on return.
Result<std::string> content_of(const Dir& dir, std::string_view rel, Durable durable);

/// The file or link `path` of `dir` and `name` of `other` change places. A name that came to be
/// taken meanwhile is not overwritten. Where the system cannot do it as one step, a second name of
/// what was at `path`, `name` + ".old", is there until it is done. Folders are refused.
Result<void> swap_files(const Dir& dir, std::string_view path, const Dir& other,
                        std::string_view name);

/// Prepares `rel` of `dir` for the place `path` of `place`: it gets the owner, the group and the
/// extended attributes of the file there, or, where there is none, the group and the access list
/// that a folder hands on to what is made in it. As far as this user may: what is refused stays as
/// it is.
Result<void> inherit(const Dir& dir, std::string_view rel, const Dir& place, std::string_view path);

/// Gives a regular file these permission bits.
Result<void> set_mode(const Dir& dir, std::string_view rel, unsigned mode);

/// Removes a directory when nothing is in it; false when there is, or when it is no directory.
Result<bool> remove_empty(const Dir& dir, std::string_view rel);

}  // namespace moonlet
