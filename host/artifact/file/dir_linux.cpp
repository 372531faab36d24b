#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "host/artifact/file/dir_open.h"

namespace moonlet {

namespace {

// A rename elsewhere in the tree makes the kernel return EAGAIN for a lookup.
// A hostile agent can rename forever, so limit the retries.
constexpr int kTries = 128;

int open_resolved(int dir, const char* path, int flags, mode_t mode, __u64 resolve) {
  open_how how{};
  how.flags = static_cast<__u64>(static_cast<unsigned>(flags | O_CLOEXEC));
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = resolve;
  long fd = -1;
  for (int i = 0; i < kTries; ++i) {
    fd = ::syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return static_cast<int>(fd);
}

// Old kernels lack openat2. Some container filters return EPERM for unknown calls.
bool call_is_missing(int number) { return number == ENOSYS || number == EPERM; }

int retried(int (*call)(int), int fd) {
  int result;
  do {
    result = call(fd);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

int open_beneath(int dir, const char* path, int flags, mode_t mode, Links links) {
  const __u64 resolve =
      RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (links == Links::kNone ? RESOLVE_NO_SYMLINKS : 0);
  const int fd = open_resolved(dir, path, flags, mode, resolve);
  if (fd >= 0 || !call_is_missing(errno)) return fd;
  return open_beneath_by_walk(dir, path, flags, mode);
}

int open_same_device(int dir, const char* name) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  const int fd =
      open_resolved(dir, name, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
  if (fd >= 0 || !call_is_missing(errno)) return fd;
  return open_beneath_by_walk(dir, name, flags, 0);
}

int sync_bytes(int fd) { return retried(::fsync, fd); }
int sync_data(int fd) { return retried(::fdatasync, fd); }
int sync_file_system(int fd) { return retried(::syncfs, fd); }

std::string path_of_open(int dir) { return "/proc/self/fd/" + std::to_string(dir); }

}  // namespace moonlet
