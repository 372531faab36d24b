// The key of a run: random, in its folder, readable only by its owner. A hash of data that holds a
// secret is keyed with it, so that a reader of the journal learns nothing from the hash. Any
// thread; only the driver of the run calls this.
#pragma once

#include <string>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// The key, 64 hex digits. It is made, and is on the disk when this returns, if there is none, or
/// none that can be one.
Result<std::string> run_key(const Dir& run_dir);

}  // namespace moonlet
