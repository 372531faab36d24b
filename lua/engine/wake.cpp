#include "lua/engine/wake.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace moonlet {

Wake::Wake() {
  int ends[2];
  if (pipe(ends) != 0) {
    failure_ = errno;
    return;
  }
  read_ = Fd(ends[0]);
  write_ = Fd(ends[1]);
  for (int fd : ends) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
  }
}

void Wake::send() const {
  const int before = errno;
  (void)!write(write_.get(), "w", 1);  // if the pipe is full, the engine wakes up anyway
  errno = before;
}

void Wake::drain() const {
  char bytes[64];
  while (read(read_.get(), bytes, sizeof bytes) > 0) {
  }
}

int WakeWatch::start(Loop& loop, const Wake& wake) {
  auto* poll = new uv_poll_t;
  poll->data = const_cast<Wake*>(&wake);
  if (const int status = uv_poll_init(loop.raw(), poll, wake.descriptor()); status != 0) {
    delete poll;
    return -status;
  }
  poll_ = poll;
  hold(false);
  return -uv_poll_start(poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    static_cast<const Wake*>(handle->data)->drain();
  });
}

WakeWatch::~WakeWatch() {
  if (poll_ == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(poll_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
}

void WakeWatch::hold(bool on) {
  auto* handle = reinterpret_cast<uv_handle_t*>(poll_);
  on ? uv_ref(handle) : uv_unref(handle);
}

}  // namespace moonlet
