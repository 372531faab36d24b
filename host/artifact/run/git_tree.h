// Finds the git work tree around a folder by reading git's own files, its index too: this room
// starts no programs. Refuses damaged .git files and bare repositories with words that say what to
// do. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

struct GitTree {
  std::string top;         ///< the work tree that holds the folder; empty outside git
  std::string main_top;    ///< the main work tree: differs from `top` in a linked one
  std::string common_dir;  ///< the repository itself, shared by all its work trees
};

/// `from` is an absolute path of an existing folder; all answers are without symbolic links. Looks
/// upwards as git does, up to the end of the file system. Outside git all fields are empty.
Result<GitTree> find_git_tree(const std::string& from);

/// True when the index of the repository holds `name` (at the top) or something beneath it. An
/// index that cannot be read holds nothing.
bool git_tracks(const std::string& common_dir, std::string_view name);

/// Adds `line` to info/exclude of the repository, once, under a lock, leaving all else as it is.
/// Does nothing when the line is there, or when .gitignore at `top` has an equal one. `line` is of
/// the form "/name/".
Result<void> git_exclude(const GitTree& tree, std::string_view line);

}  // namespace moonlet
