// Removes a folder tree of any depth with constant memory and a constant number of descriptors. Any
// thread.
#pragma once

#include <cstdint>

namespace moonlet {

/// Removes the file or folder tree `name` in `dir`. Follows no links and stays on the file system.
/// Returns 0, also if nothing is there, or an errno. Returns E2BIG after `max_entries`.
int remove_tree(int dir, const char* name, std::uint64_t max_entries);

}  // namespace moonlet
