// Channel is one end of a socket that carries frames. It buffers input and output, never blocks,
// and passes descriptors along. Owns the socket and the received descriptors that were not taken.
// It uses no event loop: the caller polls fd() and calls when it is ready. One thread.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "host/process/wire/protocol.h"

namespace moonlet {

class Channel {
 public:
  /// Which descriptors that the peer sends are kept: none, one at a time, or all of them.
  enum class Fds { kNone, kOne, kAll };
  /// Takes over `fd`, a connected stream socket, and makes it non-blocking.
  Channel(int fd, std::size_t read_limit, Fds fds);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int fd() const { return fd_; }

  /// From now on accepts frames up to `read_limit`, and these descriptors.
  void set_limits(std::size_t read_limit, Fds fds);

  enum class Read { kOk, kClosed };
  /// Reads the waiting bytes, up to about a megabyte; kClosed at end of file or on an error.
  Read fill();
  /// True once fill() has returned kClosed: no more bytes will come.
  bool ended() const { return ended_; }
  /// The next whole frame; its body lives until the next call of fill(). An error means that the
  /// peer is not a moonlet, and the channel is unusable.
  Result<std::optional<Frame>> next();
  /// Returns the oldest received descriptor that was not taken yet, or -1. The caller owns it.
  int take_fd();

  /// The buffer to append frames to; flush() sends it.
  std::string& out() { return out_; }
  /// Sends a duplicate of `fd` with the bytes that were appended to out() since `frame_at`. False
  /// if it cannot be duplicated.
  bool attach(std::size_t frame_at, int fd);
  /// Sends as much as it can without blocking. False when the peer is gone.
  bool flush();
  /// Forgets unsent bytes: the peer is gone.
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
  std::size_t used_ = 0;  ///< bytes of in_ in frames already given out
  bool ended_ = false;
  std::string out_;
  std::size_t sent_ = 0;
  std::deque<Attachment> attached_;
  std::deque<int> received_;
};

}  // namespace moonlet
