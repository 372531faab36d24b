// Removes a folder tree of any depth with constant memory and few descriptors. Any thread.
#pragma once

#include <cstdint>

namespace moonlet {

/// Removes the file or folder tree `name` in `dir`. Follows no links, stays on the file system.
/// Returns 0 (also for a missing name) or an errno; E2BIG after `max_entries`.
int remove_tree(int dir, const char* name, std::uint64_t max_entries);

}  // namespace moonlet
