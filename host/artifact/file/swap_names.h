// The system calls under swap_files() that differ between kernels. 0, or -1 with errno; ENOTSUP
// where the system, or the file system, has no such call. Any thread.
#pragma once

namespace moonlet {

/// Two names, each with a file, change places as one step.
int exchange_names(int from_dir, const char* from, int to_dir, const char* to);
/// Renames, and fails with EEXIST when the new name is taken.
int rename_to_new_name(int from_dir, const char* from, int to_dir, const char* to);
/// Gives a file the extended attributes of another one, such as its access list, as far as this
/// user may; never the ones that the kernel removes from a written file.
void copy_attributes(int from, int to);
/// Gives a file the access list that a folder has for new files, if there is one.
void inherit_access(int folder, int file);

}  // namespace moonlet
