// SessionLog keeps what a session's program printed: byte for byte, in pieces of a file, with the
// time of each. A piece is named by the offset of its first byte; when all of them exceed the cap,
// the oldest go. Offsets are never given out again, so a reader that comes back knows what it
// missed. Bytes that a full disk refuses wait in memory. When too many wait the oldest are lost,
// and a note takes their place in the log once there is room again. Owns the open piece. One thread
// writes; readers look at the folder themselves.
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
  static constexpr std::size_t kMostWaiting = 64u << 10;  ///< bytes that wait for the disk

  /// `dir_fd`, the session's folder, is borrowed. Times count from `started_ms`, on any clock.
  Result<void> open(int dir_fd, std::uint64_t cap, std::int64_t started_ms, ScreenSize size);
  void append(std::string_view bytes, std::int64_t now_ms);
  /// Writes what waits, if the disk takes it by now.
  void retry();
  /// The size of the screen from here on.
  void resized(ScreenSize size, std::int64_t now_ms);
  /// Writes what waits and notes the time of the last bytes. `make_room` is asked for the room that
  /// a full disk still refuses. Bytes that wait after that are lost.
  void finish(std::int64_t now_ms, const Capture::MakeRoom& make_room = nullptr);

  /// The offset of the next byte. Notes about lost bytes count; bytes that wait do not yet.
  std::uint64_t end() const { return end_; }
  /// The offset of the oldest byte that is kept.
  std::uint64_t begin() const { return pieces_.empty() ? end_ : pieces_.front(); }
  /// Bytes that came, and those of them that are lost.
  std::uint64_t printed() const { return printed_; }
  std::uint64_t lost() const { return lost_ + gap_; }
  std::size_t waiting() const { return waiting_.size(); }
  /// The errno of the newest write that failed; 0 without one.
  int write_errno() const { return write_errno_; }

  /// Lost bytes whose place in the log is known.
  struct Hole {
    std::uint64_t offset = 0;  ///< the start of its note
    std::uint64_t bytes = 0;
    int write_errno = 0;
  };
  /// The holes that were closed since the last call.
  std::vector<Hole> take_holes() { return std::exchange(holes_, {}); }

  /// "output-0000000000000000.log", and ".times" beside it: lines of milliseconds and the offset
  /// that was reached, or of milliseconds and "COLSxROWS".
  static std::string piece_name(std::uint64_t offset, std::string_view ending);

 private:
  Result<void> open_piece();
  void next_piece();
  std::size_t write_some(std::string_view bytes);
  void wait(std::string_view bytes);
  bool write_note();
  void note(std::int64_t now_ms);
  void write_time(const char* line, int size);

  int dir_fd_ = -1;
  std::uint64_t piece_size_ = 0;
  std::size_t most_pieces_ = 0;
  std::int64_t started_ms_ = 0;
  ScreenSize size_;
  Fd piece_, times_;
  bool times_torn_ = false;  // they end within a line
  std::deque<std::uint64_t> pieces_;
  std::uint64_t end_ = 0, noted_ = 0;
  std::int64_t noted_ms_ = 0;
  std::uint64_t printed_ = 0, lost_ = 0;
  std::uint64_t gap_ = 0;  // bytes lost in front of waiting_, of which the log has no note yet
  std::string waiting_;
  std::vector<Hole> holes_;
  int write_errno_ = 0;
};

}  // namespace moonlet
