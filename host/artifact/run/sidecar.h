// Sidecars: `.agent/sidecars/<task-id>/`, the artifacts of a run's agent calls. This file owns
// their names and their creation; the caller owns their content. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Makes sidecars/<task_id>/ with out/ in it, durably. `agent` is the `.agent` folder. kInvalid
/// when the id is malformed or taken.
Result<void> make_sidecar(const Dir& agent, std::string_view task_id);

/// "<preset>-20261121T031200Z-1a2b": the id of a run without --task-id. Any text as `preset`.
std::string default_task_id(std::string_view preset, std::int64_t wall_ms);

/// The name of a step's folder, from its key: the key where it is a plain lower-case id, else its
/// readable part and a hash. At most 64 characters; different keys have different names, also where
/// the file system ignores case.
std::string step_name(std::string_view key);

}  // namespace moonlet
