#pragma once

#include <string>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet::executor {

/// Opens the folder `named` (REPO_ROOT). If `named` is empty, opens the nearest folder with a .git,
/// from the working directory upwards, or else the working directory. Runs no program.
Result<Dir> find_repository(const std::string& named);

}  // namespace moonlet::executor
