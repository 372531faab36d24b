// Reads facts from a git index in a few milliseconds, without running git, which would print
// megabytes. Refuses a split or sparse index, or an index of an unknown version. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

struct GitIndexFacts {
  std::vector<std::string> folders;     ///< relative folders of the files, each once; "" is the top
  std::vector<std::string> attributes;  ///< tracked files named .gitattributes
  /// True if a file is marked assume-unchanged or skip-worktree, or is in the middle of a merge.
  bool has_flags = false;
  bool has_submodules = false;
};

/// Reads the content of an index whose object ids have `id_bytes` bytes (20 or 32).
/// Fails with kInvalid.
Result<GitIndexFacts> git_index_facts(std::string_view index, std::size_t id_bytes);

}  // namespace moonlet
