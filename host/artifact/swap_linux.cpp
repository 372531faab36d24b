#ifdef __linux__

#include <linux/fs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "host/artifact/swap_names.h"

namespace moonlet {

namespace {

int rename_with(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  if (::syscall(SYS_renameat2, from_dir, from, to_dir, to, flags) == 0) return 0;
  // What an older kernel, a file system, or the filter of a container says to what it does not
  // know.
  if (errno == EINVAL || errno == ENOSYS) errno = ENOTSUP;
  return -1;
}

}  // namespace

int exchange_names(int from_dir, const char* from, int to_dir, const char* to) {
  return rename_with(from_dir, from, to_dir, to, RENAME_EXCHANGE);
}

int rename_to_new_name(int from_dir, const char* from, int to_dir, const char* to) {
  return rename_with(from_dir, from, to_dir, to, RENAME_NOREPLACE);
}

}  // namespace moonlet

#endif  // __linux__
