// Finds the program that an engine starts as the keeper of its runs: this program if it called
// moonlet_keeper(), or an installed moonlet. Any thread.
#pragma once

#include <string>

#include "host/base/result.h"

namespace moonlet {

/// Fills in an empty `program`. Fails with kInvalid if no program is found or it cannot run.
Result<void> find_keeper(std::string& program);

}  // namespace moonlet
