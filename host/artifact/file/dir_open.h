// Wraps the system calls of Dir that differ between kernels. Any thread.
// The functions return a descriptor or 0, or -1 with errno.
#pragma once

#include <sys/types.h>

#include <string>

namespace moonlet {

enum class Links {
  kInside,  ///< follows a link only if the kernel guarantees that it stays below `dir`
  kNone,    ///< fails with ELOOP for a link anywhere in the path
};

/// Opens `path`, which is relative and has no "..", below `dir`. Adds O_CLOEXEC.
/// The opened file lies below `dir`, even if the tree changes at the same time.
int open_beneath(int dir, const char* path, int flags, mode_t mode, Links links);
/// Like open_beneath(), but opens each component with O_NOFOLLOW, for kernels without openat2.
int open_beneath_by_walk(int dir, const char* path, int flags, mode_t mode);
/// Opens the direct child directory `name` of `dir`. Refuses links and other file systems.
int open_same_device(int dir, const char* name);

/// Waits until the bytes of `fd` are on the disk.
int sync_bytes(int fd);
/// Like sync_bytes(), but does not always sync the file's times.
int sync_data(int fd);
/// Waits until every write to the file system of `fd` is on the disk. ENOTSUP if unsupported.
int sync_file_system(int fd);

/// Locks `fd` exclusively with flock(), without waiting. Returns 0 or an errno; EWOULDBLOCK if
/// another open file has the lock.
int flock_now(int fd);

/// Returns a path by which this process reaches the open directory `dir`; "" if unsupported.
std::string path_of_open(int dir);

}  // namespace moonlet
