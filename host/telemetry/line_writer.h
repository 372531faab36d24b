// LineWriter writes whole lines to a borrowed descriptor and never blocks on a slow reader.
// A full queue drops and counts lines. The first failure is reported; later lines are dropped.
// LineWriter raises no SIGPIPE and changes no flags, because other processes share the descriptor.
// Lines are not synced, because no run depends on its events. Single-threaded.
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
  /// `name` appears in errors: "stdout". At most `queue_cap` bytes wait for the reader.
  LineWriter(int fd, std::string name, std::size_t queue_cap = std::size_t{4} << 20);

  /// Queues `line` with a line end and writes as much as the reader accepts now.
  /// Returns false if the line was dropped: the queue is full, or an earlier write failed.
  bool write(std::string_view line);
  /// Writes as much as the reader accepts now, for a loop that polls fd() while pending().
  void pump();
  /// Writes the whole queue, but waits at most `timeout_ms`.
  void flush(int timeout_ms);

  int fd() const { return fd_; }
  bool pending() const { return !queue_.empty(); }
  bool failed() const { return failed_; }
  std::uint64_t dropped() const { return dropped_; }
  /// Returns the first failure, but only once.
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
