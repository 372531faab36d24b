#include "host/artifact/file/dir_open.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

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
      // Some systems report ENOTDIR for a link that is opened with O_DIRECTORY.
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

int flock_now(int fd) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace moonlet
