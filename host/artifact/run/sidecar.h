// A sidecar, `.agent/sidecars/<task-id>/`, has the artifacts of a run's agent calls. Any thread.
// The caller owns the content of a sidecar.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Makes sidecars/<task_id>/out/ durably. Fails with kInvalid if the id is malformed or taken.
Result<void> make_sidecar(const Dir& agent, std::string_view task_id);

/// Returns "<preset>-20261121T031200Z-1a2b", the id of a run without --task-id.
std::string default_task_id(std::string_view preset, std::int64_t wall_ms);

/// Returns the folder name of a step: its key if that is plain and in lower case, otherwise the
/// key's readable part and a hash.
/// A step name has at most 64 characters, and is unique even if letter case is ignored.
std::string step_name(std::string_view key);

}  // namespace moonlet
