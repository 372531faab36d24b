// Channel is an end of a socket that carries frames and descriptors. It never blocks.
// Channel owns the socket, and received descriptors until take_fd(). Single-threaded.
// Channel uses no event loop: the caller polls fd().
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "host/process/wire/protocol.h"

namespace moonlet {

class Channel {
 public:
  /// Selects the received descriptors to keep: none, one at a time, or all.
  enum class Fds { kNone, kOne, kAll };
  /// Takes ownership of `fd`, a connected stream socket, and makes it non-blocking.
  Channel(int fd, std::size_t read_limit, Fds fds);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int fd() const { return fd_; }

  /// Changes the limits for later frames and descriptors.
  void set_limits(std::size_t read_limit, Fds fds);

  enum class Read { kOk, kClosed };
  /// Reads the available bytes, at most about a megabyte. Returns kClosed at the end of the input
  /// or on an error.
  Read fill();
  /// Returns true after the end of the input.
  bool ended() const { return ended_; }
  /// Returns the next whole frame, whose body is valid until the next fill().
  /// An error means that the peer is not a moonlet; the channel is then unusable.
  Result<std::optional<Frame>> next();
  /// Returns the oldest received descriptor, or -1. The caller owns it.
  int take_fd();

  /// Returns the buffer to append frames to. flush() sends the buffer.
  std::string& out() { return out_; }
  /// Sends a duplicate of `fd` with the frame that begins at the offset `frame_at` of out().
  /// Returns false if the descriptor cannot be duplicated.
  bool attach(std::size_t frame_at, int fd);
  /// Sends as much as possible without blocking. Returns false if the peer is gone.
  bool flush();
  /// Drops unsent bytes. Call discard() if the peer is gone.
  void discard();
  bool pending() const { return sent_ < out_.size(); }
  std::size_t pending_bytes() const { return out_.size() - sent_; }

 private:
  Read end();

  struct Attachment {
    std::size_t at;
    int fd;
  };

  int fd_;
  std::size_t read_limit_;
  Fds fds_;
  std::string in_;
  std::size_t used_ = 0;  ///< bytes of in_ that next() has already returned as frames
  bool ended_ = false;
  std::string out_;
  std::size_t sent_ = 0;
  std::deque<Attachment> attached_;
  std::deque<int> received_;
};

}  // namespace moonlet
