#include "host/process/step.h"

#include <unistd.h>

#include <cerrno>

namespace moonlet {

namespace {

constexpr std::size_t kBufferSize = 256 * 1024;

// One buffer for all streams: what is read has been taken care of before the next read.
char* shared_buffer() {
  static thread_local std::unique_ptr<char[]> buffer =
      std::make_unique_for_overwrite<char[]>(kBufferSize);
  return buffer.get();
}

}  // namespace

void Stream::start(uv_loop_t* loop, int fd, std::function<void()> readable) {
  fd_ = fd;
  poll_ = new Poll;
  poll_->readable = std::move(readable);
  poll_->handle.data = poll_;
  uv_poll_init(loop, &poll_->handle, fd);
  uv_poll_start(&poll_->handle, UV_READABLE | UV_DISCONNECT,
                [](uv_poll_t* handle, int, int) { static_cast<Poll*>(handle->data)->readable(); });
}

std::size_t Stream::drain(std::size_t limit, const std::function<void(std::string_view)>& sink) {
  std::size_t total = 0;
  while (fd_ >= 0 && total < limit) {
    ssize_t got = read(fd_, shared_buffer(), kBufferSize);
    if (got > 0) {
      sink({shared_buffer(), static_cast<std::size_t>(got)});
      total += static_cast<std::size_t>(got);
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
  if (fd_ < 0) return;
  // libuv forgets the descriptor before it is closed: a child between clone and exec may hold it.
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
           [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
  poll_ = nullptr;
  ::close(fd_);
  fd_ = -1;
}

}  // namespace moonlet
