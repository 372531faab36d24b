// Fd owns one file descriptor and closes it once. write_all and read_some hide EINTR and short
// writes. Not shared between threads.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace moonlet {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = other.release();
    }
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// Releases the descriptor without closing it; the caller must close it.
  int release() { return std::exchange(fd_, -1); }
  /// Closes it now. Returns 0 or the errno of close(): network and quota file systems report a
  /// failed write only here.
  int close();

 private:
  int fd_ = -1;
};

/// Writes everything. Returns 0 or an errno; after an error an unknown part is written.
int write_all(int fd, std::string_view bytes);
/// Like read(), but retries on EINTR: the number of bytes, 0 at the end, or -1 with errno.
long read_some(int fd, void* into, std::size_t size);

}  // namespace moonlet
