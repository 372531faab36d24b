#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "host/artifact/file/dir_open.h"
#include "host/base/fd.h"

namespace moonlet {

int open_beneath_by_walk(int dir, const char* path, int flags, mode_t mode) {
  Fd held;
  int at = dir;
  for (std::string rest = path;;) {
    const auto slash = rest.find('/');
    const std::string name = rest.substr(0, slash);
    const bool last = slash == std::string::npos;
    const int how = last ? flags : O_RDONLY | O_DIRECTORY;
    int fd;
    do {
      fd = ::openat(at, name.c_str(), how | O_NOFOLLOW | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
      // With O_DIRECTORY some systems report ENOTDIR for a link; report the link.
      struct stat info;
      const int number = errno;
      const bool link = number == ENOTDIR &&
                        ::fstatat(at, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISLNK(info.st_mode);
      errno = link ? ELOOP : number;
      return -1;
    }
    if (last) return fd;
    held = Fd(fd);
    at = fd;
    rest.erase(0, slash + 1);
  }
}

#ifndef __linux__

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
  // fsync() alone leaves the bytes in the drive's cache there.
  if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;
#endif
  int result;
  do {
    result = ::fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result;
}

int sync_file_system(int) {
  errno = ENOTSUP;
  return -1;
}

#endif

}  // namespace moonlet
