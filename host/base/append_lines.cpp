#include "host/base/append_lines.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace moonlet {

bool ends_within_line(int fd) {
  struct stat info;
  char last = '\n';
  if (fstat(fd, &info) != 0 || info.st_size == 0) return false;
  return pread(fd, &last, 1, info.st_size - 1) == 1 && last != '\n';
}

int append_lines(int fd, std::string_view lines) {
  const std::string text = (ends_within_line(fd) ? "\n" : "") + std::string(lines);
  struct stat before, after;
  if (fstat(fd, &before) != 0) return errno;
  // Use a single write(), so that lines of other processes cannot interleave.
  ssize_t written;
  do {
    written = write(fd, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) return errno;
  if (written == static_cast<ssize_t>(text.size())) return 0;
  // Remove a partly written line, unless another process has appended to the file since.
  if (fstat(fd, &after) == 0 && after.st_size == before.st_size + written) {
    (void)!ftruncate(fd, before.st_size);
  }
  return ENOSPC;
}

}  // namespace moonlet
