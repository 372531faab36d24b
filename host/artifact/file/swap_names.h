// Wraps the system calls of swap_files() that differ between kernels. Any thread.
// The functions return 0, or -1 with errno; ENOTSUP means unsupported.
#pragma once

#include <string>

namespace moonlet {

/// Atomically exchanges two names, each with a file.
int exchange_names(int from_dir, const char* from, int to_dir, const char* to);
/// Renames, and fails with EEXIST if the new name is taken.
int rename_to_new_name(int from_dir, const char* from, int to_dir, const char* to);
/// Copies permitted extended attributes, such as the access list, to another file.
/// Omits attributes that the kernel removes from a written file.
void copy_attributes(int from, int to);
/// Returns the extended attributes of an open file or folder as a comparable text.
/// Returns an empty text if there are none or the system does not support them.
std::string attributes_text(int file);
/// Applies a folder's default access list to a file.
void inherit_access(int folder, int file);

}  // namespace moonlet
