// LineWriter writes whole lines to a borrowed descriptor and does not block if the reader is slow.
// If the queue is full, it drops lines and counts them. It reports the first failed write and drops
// all later lines.
// It raises no SIGPIPE and does not change the descriptor's flags, because other processes may
// share the descriptor. It does not sync lines to disk, because a run does not depend on its
// events. Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

class LineWriter {
 public:
  /// `name` is for errors, such as "stdout". The queue has at most `queue_cap` bytes.
  LineWriter(int fd, std::string name, std::size_t queue_cap = std::size_t{4} << 20);

  /// Queues `line` and a newline, and writes as much as the reader accepts now.
  /// Returns false if the line was dropped, because the queue is full or a write has failed.
  bool write(std::string_view line);
  /// Writes as much as the reader accepts now. While pending() is true, call pump() whenever fd()
  /// is writable.
  void pump();
  /// Writes the whole queue. Gives up after `timeout_ms`.
  void flush(int timeout_ms);

  int fd() const { return fd_; }
  bool pending() const { return !queue_.empty(); }
  bool failed() const { return failed_; }
  std::uint64_t dropped() const { return dropped_; }
  /// Returns the error of the first failed write. Later calls return no value.
  std::optional<Error> take_failure();

 private:
  bool ready(int timeout_ms) const;
  void fail(int number);
  void write_file();

  int fd_;
  std::string name_;
  std::size_t queue_cap_;
  bool regular_ = false;
  bool socket_ = false;
  std::string queue_;
  bool failed_ = false;
  std::uint64_t dropped_ = 0;
  std::optional<Error> failure_;
};

}  // namespace moonlet
