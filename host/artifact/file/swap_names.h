// Wraps system calls that differ between kernels: renaming without overwriting, exchanging two
// names, and extended attributes. An int result is 0, or -1 with errno; ENOTSUP means unsupported.
// Any thread.
#pragma once

#include <string>

namespace moonlet {

/// Atomically exchanges two existing names.
int exchange_names(int from_dir, const char* from, int to_dir, const char* to);
/// Renames a file, and fails with EEXIST if the new name exists.
int rename_to_new_name(int from_dir, const char* from, int to_dir, const char* to);
/// Copies extended attributes, such as the ACL, to another file, as far as permitted.
/// Omits attributes that the kernel removes when a file is written.
void copy_attributes(int from, int to);
/// Returns the extended attributes of an open file or folder as a comparable text.
/// Returns an empty text if there are none or the system does not support them.
std::string attributes_text(int file);
/// Applies a folder's default ACL to a file.
void inherit_access(int folder, int file);

}  // namespace moonlet
