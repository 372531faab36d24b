#pragma once

#include <string>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet::executor {

/// Opens `named` (REPO_ROOT) or the nearest parent folder with a .git. Runs no program.
/// Without a .git folder, opens the working directory.
Result<Dir> find_repository(const std::string& named);

}  // namespace moonlet::executor
