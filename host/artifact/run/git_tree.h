// Finds the git work tree around a folder by reading git's text files. Any thread.
// Runs git only for facts that these files lack. Refuses damaged .git files and bare repositories.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

struct GitTree {
  std::string top;         ///< the work tree around the folder; empty outside git
  std::string main_top;    ///< the main work tree; differs from `top` in a linked work tree
  std::string common_dir;  ///< the git folder that all work trees of the repository share
};

/// Runs git with `arguments` and returns its standard output; "" after a failure.
using AskGit = std::function<std::string(const std::vector<std::string>& arguments)>;

/// Searches `from`, an absolute path, and its parents on the same file system, as git does.
/// Returned paths have no symbolic links. All fields are empty outside of git.
Result<GitTree> find_git_tree(const std::string& from, const AskGit& ask);

/// Returns true if git tracks `name` at the top of the work tree, or anything below it.
bool git_tracks(const GitTree& tree, std::string_view name, const AskGit& ask);

/// Returns true if .gitignore at the top or info/exclude has `line`, such as "/name/".
bool git_excludes(const GitTree& tree, std::string_view line);
/// Adds `line` to the repository's info/exclude once, under a lock. Keeps all other lines.
Result<void> git_exclude(const GitTree& tree, std::string_view line);

}  // namespace moonlet
