#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "host/artifact/file/reserve.h"

namespace moonlet {

namespace {

// Most file systems allocate a file in blocks of this size.
constexpr std::uint64_t kBlock = 4096;

bool is_full(int number) { return number == ENOSPC || number == EDQUOT; }

// EMFILE, ENFILE and EIO may be temporary, so do not conclude that space cannot be reserved.
bool passes(int number) { return number == EMFILE || number == ENFILE || number == EIO; }

}  // namespace

Result<void> Reserve::fill(int dir_fd) {
  if (unknown_ || left_ == kSize) return {};
  int number = 0;
  if (!file_) {
    file_ = Fd(openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file_) number = errno;
  }
  while (number == 0 && fallocate(file_.get(), 0, 0, static_cast<off_t>(kSize)) != 0) {
    if (errno != EINTR) number = errno;
  }
  if (number == 0) {
    left_ = kSize;
  } else if (is_full(number)) {
    return Error::from_errno(number, "keep room free for the end of an agent in the run's folder");
  } else if (number != EINTR) {
    unknown_ = !passes(number);
  }
  return {};
}

bool Reserve::give(std::uint64_t bytes, std::uint64_t others) {
  // Add a block: a write that does not begin at a block boundary touches one block more.
  const std::uint64_t wanted = (bytes / kBlock + 2) * kBlock;
  if (left_ < others || left_ - others < wanted) return false;
  if (ftruncate(file_.get(), static_cast<off_t>(left_ - wanted)) != 0) return false;
  left_ -= wanted;
  return true;
}

}  // namespace moonlet
