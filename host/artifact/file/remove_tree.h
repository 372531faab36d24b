// The removal of a folder with all beneath it, in constant memory and descriptors whatever its
// depth. Any thread.
#pragma once

#include <cstdint>

namespace moonlet {

/// Removes `name` right in `dir`, a folder with all beneath it or a file, without following links
/// or leaving the file system. Nothing there is fine. 0 or an errno; E2BIG after `max_entries`.
int remove_tree(int dir, const char* name, std::uint64_t max_entries);

}  // namespace moonlet
