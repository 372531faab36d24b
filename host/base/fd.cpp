#include "host/base/fd.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace moonlet {

int Fd::close() {
  if (fd_ < 0) return 0;
  const int result = ::close(release());
  // close() releases the descriptor even on EINTR. A retry could close a descriptor that another
  // thread has opened since.
  return result == 0 || errno == EINTR ? 0 : errno;
}

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    // Some systems refuse to write 2 GB or more at once.
    const ssize_t written =
        ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 1U << 30));
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0) {
      return EIO;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // A pipe or terminal shared with another process may be non-blocking, because the flag
      // belongs to the shared open file.
      pollfd ready{fd, POLLOUT, 0};
      if (::poll(&ready, 1, -1) < 0 && errno != EINTR) return errno;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

long read_some(int fd, void* into, std::size_t size) {
  for (;;) {
    const ssize_t got = ::read(fd, into, size);
    if (got >= 0 || errno != EINTR) return got;
  }
}

}  // namespace moonlet
