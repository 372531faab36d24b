// The key of a run: random, in its folder, for its owner alone. Hashes that are on record are keyed
// with it where what they are of holds a secret: they tell nothing to whoever has the journal. Any
// thread; whoever drives the run calls this.
#pragma once

#include <string>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// The key, 64 hex digits. It is made, and is on the disk when this returns, if there is none, or
/// none that can be one.
Result<std::string> run_key(const Dir& run_dir);

}  // namespace moonlet
