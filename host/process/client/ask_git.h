// AskGit runs git for a Home, which reads facts in git's formats. Blocking, any thread.
#pragma once

#include <string>
#include <vector>

#include "host/artifact/run/git_tree.h"

namespace moonlet {

/// Runs the git of the PATH in `environment` ("NAME=value" each).
/// A failing git, or a git that runs longer than ten seconds, yields an empty answer.
AskGit ask_git(std::vector<std::string> environment);

}  // namespace moonlet
