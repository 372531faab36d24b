#include "host/process/keeper/step.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace moonlet {

namespace {

constexpr std::size_t kBufferSize = 256 * 1024;

// All streams share a buffer, because each read is handled before the next.
char* shared_buffer() {
  static thread_local std::unique_ptr<char[]> buffer =
      std::make_unique_for_overwrite<char[]>(kBufferSize);
  return buffer.get();
}

}  // namespace

bool Stream::start(uv_loop_t* loop, int fd, FdWatch::Ready readable) {
  fd_ = Fd(fd);
  watch_ = FdWatch(loop, fd, std::move(readable));
  watch_.want(UV_READABLE);
  return static_cast<bool>(watch_);
}

std::size_t Stream::drain(std::size_t limit, const std::function<void(std::string_view)>& sink) {
  char* const buffer = shared_buffer();
  std::size_t total = 0;
  while (fd_ && total < limit) {
    const ssize_t got = read(fd_.get(), buffer, kBufferSize);
    if (got > 0) {
      total += static_cast<std::size_t>(got);
      sink({buffer, static_cast<std::size_t>(got)});
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      break;
    } else {
      close();
    }
  }
  return total;
}

void Stream::close() {
  watch_ = {};
  fd_.close();
}

}  // namespace moonlet
