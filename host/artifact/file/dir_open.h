// The system calls under Dir that differ between kernels: opening beneath a descriptor and making
// things durable. They return a descriptor or 0, or -1 with errno. Any thread.
#pragma once

#include <sys/types.h>

#include <string>

namespace moonlet {

enum class Links {
  kInside,  ///< symbolic links that stay beneath are followed, where the kernel can tell
  kNone,    ///< a symbolic link anywhere in the path is ELOOP
};

/// Opens `path` (relative, without "..", not empty) beneath `dir`. The result lies beneath, even
/// when the tree changes at the same time. O_CLOEXEC is added.
int open_beneath(int dir, const char* path, int flags, mode_t mode, Links links);
/// The same, component by component with O_NOFOLLOW: refuses every link. For kernels without
/// openat2.
int open_beneath_by_walk(int dir, const char* path, int flags, mode_t mode);
/// Opens the directory `name` right in `dir`, not a link and not another file system's.
int open_same_device(int dir, const char* name);

/// Waits until the bytes are on the disk.
int sync_bytes(int fd);
/// The same, but without the times of the file where the system can leave them out.
int sync_data(int fd);
/// Waits until everything that was written to the file system of `fd` is on the disk. ENOTSUP where
/// the system cannot tell.
int sync_file_system(int fd);

/// A path that leads to the open directory `dir` in this process; empty where there is none.
std::string path_of_open(int dir);

}  // namespace moonlet
