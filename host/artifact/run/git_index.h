// Reads what a git index says of its files, without git: that takes a few milliseconds where git
// prints megabytes. Refuses an index that is split or sparse, or whose version it does not know.
// Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"

namespace moonlet {

struct GitIndexFacts {
  std::vector<std::string> folders;     ///< of the files, each once, relative; "" is the top
  std::vector<std::string> attributes;  ///< tracked files named .gitattributes
  /// A file is marked assume-unchanged or skip-worktree, or is in the middle of a merge.
  bool has_flags = false;
  bool has_submodules = false;
};

/// Reads the content of an index whose object ids have `id_bytes` bytes (20 or 32).
/// Errors: kInvalid.
Result<GitIndexFacts> git_index_facts(std::string_view index, std::size_t id_bytes);

}  // namespace moonlet
