// LineWriter sends whole lines to a descriptor it does not own. It never waits for a slow reader
// (it queues, then drops and counts), never raises SIGPIPE, and after a failure reports it once and
// swallows the rest. It changes no flags of the descriptor: others share it. It syncs nothing,
// unlike the journal and keeper.log: events are no truth, and no run waits for a reader of them.
// One thread.
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
  /// `name` is for the error: "stdout". At most `queue_cap` bytes wait for the reader.
  LineWriter(int fd, std::string name, std::size_t queue_cap = std::size_t{4} << 20);

  /// Queues `line` and a line end and writes as much as the reader takes at once. False when the
  /// line was dropped: the queue is full, or writing failed earlier.
  bool write(std::string_view line);
  /// Writes as much as the reader takes at once; for a loop that polls fd() while pending().
  void pump();
  /// Writes the rest, waiting at most so long.
  void flush(int timeout_ms);

  int fd() const { return fd_; }
  bool pending() const { return !queue_.empty(); }
  bool failed() const { return failed_; }
  std::uint64_t dropped() const { return dropped_; }
  /// The failure, the first time it is asked for.
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
