// Reads facts from a git index in a few milliseconds, without running git, which would print
// megabytes. Refuses a split or sparse index, or an index of an unknown version. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

struct GitIndexFacts {
  std::vector<std::string> folders;     ///< the folders of tracked files, each once; "" is the top
  std::vector<std::string> attributes;  ///< tracked files named .gitattributes
  /// True if git has marked a file assume-unchanged or skip-worktree, or if a merge conflict of a
  /// file is unresolved. Then the index does not describe the file in the work tree.
  bool has_flags = false;
  bool has_submodules = false;
};

/// Reads the content of an index whose object ids have `id_bytes` bytes (20 or 32).
/// Fails with kInvalid if it cannot read the index: a damaged, split or sparse index, or one of an
/// unknown version.
Result<GitIndexFacts> git_index_facts(std::string_view index, std::size_t id_bytes);

}  // namespace moonlet
