#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "host/artifact/file/dir_open.h"

namespace moonlet {

int open_beneath(int dir, const char* path, int flags, mode_t mode, Links) {
  return open_beneath_by_walk(dir, path, flags, mode);
}

int open_same_device(int dir, const char* name) {
  struct stat here, there;
  const int fd = open_beneath_by_walk(dir, name, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return fd;
  if (::fstat(dir, &here) == 0 && ::fstat(fd, &there) == 0 && here.st_dev == there.st_dev)
    return fd;
  ::close(fd);
  errno = EXDEV;
  return -1;
}

int sync_bytes(int fd) {
#ifdef F_FULLFSYNC
  // fsync() on macOS leaves the bytes in the drive's cache.
  if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;
#endif
  int result;
  do {
    result = ::fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result;
}

int sync_data(int fd) { return sync_bytes(fd); }

int sync_file_system(int) {
  errno = ENOTSUP;
  return -1;
}

std::string path_of_open(int dir) {
#ifdef F_GETPATH
  char path[PATH_MAX];
  return ::fcntl(dir, F_GETPATH, path) == 0 ? path : "";
#else
  return "/dev/fd/" + std::to_string(dir);
#endif
}

}  // namespace moonlet
