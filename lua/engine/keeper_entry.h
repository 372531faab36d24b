// Finds the program that an engine starts as the keeper of its runs: the running program if it has
// called moonlet_keeper(), or else an installed moonlet. Any thread.
#pragma once

#include <string>

#include "host/base/result.h"

namespace moonlet {

/// Sets `program` to the path of the keeper if it is empty. Fails with kInvalid if there is none or
/// it cannot be executed.
Result<void> find_keeper(std::string& program);

}  // namespace moonlet
