// Finds the git work tree around a folder by reading the text files of git, and runs git for
// everything else. Refuses damaged .git files and bare repositories with a hint what to do. Any
// thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

struct GitTree {
  std::string top;         ///< the work tree that holds the folder; empty outside git
  std::string main_top;    ///< the main work tree: differs from `top` in a linked one
  std::string common_dir;  ///< the repository itself, shared by all its work trees
};

/// Runs git with these arguments and returns its standard output; empty after a failure.
using AskGit = std::function<std::string(const std::vector<std::string>& arguments)>;

/// `from` is the absolute path of an existing folder. Searches its parents on the same file system,
/// as git does. The returned paths have no symbolic links. Outside of git all fields are empty.
Result<GitTree> find_git_tree(const std::string& from, const AskGit& ask);

/// True if the repository tracks `name` (at the top) or anything below it.
bool git_tracks(const GitTree& tree, std::string_view name, const AskGit& ask);

/// True when .gitignore at the top or info/exclude has `line`, which is of the form "/name/".
bool git_excludes(const GitTree& tree, std::string_view line);
/// Adds `line` to info/exclude of the repository, once, under a lock, and keeps all other lines.
Result<void> git_exclude(const GitTree& tree, std::string_view line);

}  // namespace moonlet
