// Fd owns a file descriptor and closes it exactly once. Not thread-safe.
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
  /// Gives the descriptor to the caller, who must close it.
  int release() { return std::exchange(fd_, -1); }
  /// Closes the descriptor now. Returns 0 or the errno of close().
  /// Network and quota file systems report a failed write only at close().
  int close();

 private:
  int fd_ = -1;
};

/// Writes all bytes. Returns 0 or an errno. After an error, an unknown number of bytes was written.
int write_all(int fd, std::string_view bytes);
/// Like read(), but retries on EINTR. Returns the number of bytes, 0 at the end of the file, or -1
/// with errno.
long read_some(int fd, void* into, std::size_t size);

}  // namespace moonlet
