// SessionLog stores the output of a session's program in a series of files (pieces), with times.
// A piece is named by the offset of its first byte. Beyond the cap, the oldest pieces are deleted.
// Offsets are never reused, so a reader that returns later knows how many bytes it has missed.
// Bytes that a full disk refuses wait in memory. A note replaces bytes that do not fit.
// SessionLog owns the open piece. Only one thread writes; readers open the folder themselves.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/child/capture.h"
#include "host/process/session/screen.h"

namespace moonlet {

class SessionLog {
 public:
  static constexpr std::uint64_t kDefaultCap = 64u << 20;
  static constexpr std::size_t kMostWaiting = 64u << 10;  ///< limit of bytes that wait in memory

  /// Borrows `dir_fd`, the session's folder. The log's times count from `started_ms`.
  /// `started_ms` and each `now_ms` must come from the same clock.
  Result<void> open(int dir_fd, std::uint64_t cap, std::int64_t started_ms, ScreenSize size);
  void append(std::string_view bytes, std::int64_t now_ms);
  /// Writes the waiting bytes if the disk accepts them now.
  void retry();
  /// Records the new size of the screen.
  void resized(ScreenSize size, std::int64_t now_ms);
  /// Ends the log: writes the bytes that wait in memory, and the last line of .times. If the disk
  /// is full, calls `make_room` and tries again. Drops bytes that still do not fit.
  void finish(std::int64_t now_ms, const Capture::MakeRoom& make_room = nullptr);

  /// Returns the offset of the log's end. Includes the notes about lost bytes, but not the bytes
  /// that wait in memory.
  std::uint64_t end() const { return end_; }
  /// Returns the offset of the oldest stored byte.
  std::uint64_t begin() const { return pieces_.empty() ? end_ : pieces_.front(); }
  /// printed() counts the received bytes, and lost() the lost ones.
  std::uint64_t printed() const { return printed_; }
  std::uint64_t lost() const { return lost_ + gap_; }
  std::size_t waiting() const { return waiting_.size(); }
  /// Returns the errno of the newest failed write; 0 without a failure.
  int write_errno() const { return write_errno_; }

  /// Hole is a gap of lost bytes at a known place in the log.
  struct Hole {
    std::uint64_t offset = 0;  ///< offset in the log where the bytes are missing
    std::uint64_t bytes = 0;
    int write_errno = 0;
  };
  /// Returns the holes whose size became final since the last call.
  std::vector<Hole> take_holes() { return std::exchange(holes_, {}); }

  /// Returns a piece's file name, such as "output-0000000000000000.log". `ending` is "log" or
  /// "times". A line of .times is milliseconds and the reached offset, or milliseconds and
  /// "COLSxROWS".
  static std::string piece_name(std::uint64_t offset, std::string_view ending);

 private:
  Result<void> open_piece();
  void next_piece();
  std::size_t write_some(std::string_view bytes);
  void wait(std::string_view bytes);
  bool write_note();
  void note(std::int64_t now_ms);
  void write_time(std::int64_t now_ms, const std::string& what);

  int dir_fd_ = -1;
  std::uint64_t piece_size_ = 0;
  std::int64_t started_ms_ = 0;
  ScreenSize size_;
  Fd piece_, times_;
  bool times_torn_ = false;  // the .times file ends within a line
  std::deque<std::uint64_t> pieces_;
  std::uint64_t end_ = 0, noted_ = 0;
  std::int64_t noted_ms_ = 0;
  std::uint64_t printed_ = 0, lost_ = 0;
  // The number of dropped bytes that preceded the bytes in `waiting_`. The log has no note about
  // them yet.
  std::uint64_t gap_ = 0;
  std::string waiting_;
  std::vector<Hole> holes_;
  int write_errno_ = 0;
};

}  // namespace moonlet
