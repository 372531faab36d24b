// Provides the function that runs git for `Home`, the `.agent/` folder. Blocking, any thread.
#pragma once

#include <string>
#include <vector>

#include "host/artifact/run/git_tree.h"

namespace moonlet {

/// Returns a function that runs the git in the PATH of `environment` ("NAME=value" each).
/// It returns an empty text if git fails or runs longer than ten seconds.
AskGit ask_git(std::vector<std::string> environment);

}  // namespace moonlet
