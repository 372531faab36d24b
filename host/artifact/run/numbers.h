// Lists the numbers of runs and sessions that have a folder or a mark in `.agent`. Any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

/// Returns the numbers of the ids in a folder of `.agent`, ascending: 7 for "R-007" if the letter
/// is R. Skips all other entries. Returns an empty list if the folder is missing.
Result<std::vector<std::uint64_t>> numbers_in(const Dir& agent, std::string_view folder,
                                              char letter, EntryKind kind = EntryKind::kDir);

}  // namespace moonlet
