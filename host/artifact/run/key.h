// A run's random key lies in a file that only its owner can read. Any thread.
// Hashes of data with secrets are keyed, so that the journal reveals nothing about the secrets.
// Only the driver of the run calls run_key().
#pragma once

#include <string>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Returns the key, 64 hex digits. If it is missing or invalid, durably makes a new key.
Result<std::string> run_key(const Dir& run_dir);

}  // namespace moonlet
