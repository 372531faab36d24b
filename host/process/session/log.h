// SessionLog keeps what a session's program printed: byte for byte, in pieces of a file, with the
// time of each. A piece is named by the offset of its first byte; when all of them exceed the cap,
// the oldest go. Offsets are never given out again, so a reader that comes back knows what it
// missed. Owns the open piece. One thread writes; readers look at the folder themselves.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/session/screen.h"

namespace moonlet {

class SessionLog {
 public:
  static constexpr std::uint64_t kDefaultCap = 64u << 20;

  /// `dir_fd`, the session's folder, is borrowed. Times count from `started_ms`, on any clock.
  Result<void> open(int dir_fd, std::uint64_t cap, std::int64_t started_ms, ScreenSize size);
  void append(std::string_view bytes, std::int64_t now_ms);
  /// The size of the screen from here on.
  void resized(ScreenSize size, std::int64_t now_ms);
  /// Notes the time of the last bytes.
  void finish(std::int64_t now_ms);

  /// Bytes printed so far: the offset of the next one.
  std::uint64_t end() const { return end_; }
  /// The offset of the oldest byte that is kept.
  std::uint64_t begin() const { return pieces_.empty() ? end_ : pieces_.front(); }
  /// The first error of writing, as an errno; bytes may be missing since. 0 without one.
  int write_errno() const { return write_errno_; }

  /// "output-0000000000000000.log", and ".times" beside it: lines of milliseconds and the offset
  /// that was reached, or of milliseconds and "COLSxROWS".
  static std::string piece_name(std::uint64_t offset, std::string_view ending);

 private:
  Result<void> open_piece();
  void note(std::int64_t now_ms);

  int dir_fd_ = -1;
  std::uint64_t piece_size_ = 0;
  std::size_t most_pieces_ = 0;
  std::int64_t started_ms_ = 0;
  ScreenSize size_;
  Fd piece_, times_;
  std::deque<std::uint64_t> pieces_;
  std::uint64_t end_ = 0, noted_ = 0;
  std::int64_t noted_ms_ = 0;
  int write_errno_ = 0;
};

}  // namespace moonlet
