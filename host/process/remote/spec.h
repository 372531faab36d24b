// Parses the JSON description of a step into the ChildSpec of an attempt. Any thread.
#pragma once

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "host/base/result.h"
#include "host/process/child/child.h"
#include "host/process/remote/attempt.h"

namespace moonlet {

using Pairs = std::map<std::string, std::string>;

/// This file in an attempt's folder describes an attempt that waits for a scheduler's job.
inline constexpr const char* kSpecFileName = "spec.json";

/// Writes the step's files into the attempt's folder, and returns the child to start.
/// In texts of `spec`, "@NONCE@" is replaced by the folder's path, and "@NONCE:home@" by HOME.
/// Fields: step, argv, cwd, env (an object), files (name -> text), links (folder -> targets),
/// folders, stdin_file, wall_ms, idle_ms, cap, stderr_cap, writable, readable, restrict_reads,
/// network, secrets (name -> value). The caller closes the result's stdin_fd.
Result<ChildSpec> read_remote_spec(RemoteAttempt& attempt, const nlohmann::json& spec);

/// Returns the variables that every child gets from this process, such as PATH and the locale.
Pairs plain_environment();

}  // namespace moonlet
