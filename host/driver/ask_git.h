// The programs that a Home may ask: git, for facts in formats of its own. Blocking, any thread.
#pragma once

#include <string>
#include <vector>

#include "host/artifact/run/git_tree.h"

namespace moonlet {

/// Runs the git of the PATH in `environment` ("NAME=value" each). A git that fails, or that does
/// not end within ten seconds, answers nothing.
AskGit ask_git(std::vector<std::string> environment);

}  // namespace moonlet
