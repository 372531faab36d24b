// Finds the root of the repository that a task works in. Runs no program.
#pragma once

#include <string>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet::executor {

/// `named` (REPO_ROOT), or the nearest folder from the working directory upwards that holds a .git,
/// or else the working directory.
Result<Dir> find_repository(const std::string& named);

}  // namespace moonlet::executor
