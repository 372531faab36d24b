// Reads a file line by line while another process still writes it. It owns the descriptor and at
// most one line; a line that is too long, or holds too many JSON values, is reported only by its
// size. Counts the values before decoding: a decoded line may take many times its size, and the
// host has to stay under 10 MB. Any thread, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet {

/// Which lines are wanted. Other lines are only counted.
enum class LineKind {
  kAny,
  kObject,  ///< lines that begin with "{", after blanks and a byte order mark
  kJson,    ///< lines that may belong to a JSON text spread over lines
};

struct LineRules {
  std::size_t longest = SIZE_MAX;      ///< bytes
  std::size_t most_values = SIZE_MAX;  ///< about how many JSON values and names there may be
  LineKind kind = LineKind::kAny;
};

struct Line {
  std::string text;
  std::uint64_t number = 0;   ///< from 1
  std::uint64_t skipped = 0;  ///< the size of a line whose text is omitted; else 0
};

class LineReader {
 public:
  /// `file` is open for reading and at its beginning.
  LineReader(Fd file, const LineRules& rules) : file_(std::move(file)), rules_(rules) {}

  /// Appends the next lines, without their ends (LF or CRLF), from up to 64 KB of the file. False
  /// when the file has no more at the moment. With `at_end` the file is complete, and a last part
  /// without a line end counts as a line. Errors: kFailed with the errno.
  Result<bool> read(std::vector<Line>& lines, bool at_end);

  /// The number of nonblank lines of a kind that is not wanted.
  std::uint64_t others() const { return others_; }
  /// The last 1000 bytes of the newest unwanted line, see others().
  const std::string& last_other() const { return last_other_; }

 private:
  enum class State {
    kBlank,   // only blanks yet
    kWanted,  // its text is in line_
    kTooLong,
    kOther,
  };

  void take(std::string_view bytes, std::vector<Line>& lines);
  void add(std::string_view bytes);
  void end_line(std::vector<Line>& lines);

  Fd file_;
  LineRules rules_;
  State state_ = State::kBlank;
  std::string line_;
  std::uint64_t size_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t others_ = 0;
  std::string last_other_;
};

/// True if a JSON text has more than `most` values and names, or a number out of range. To decode
/// it would take many times its size.
bool is_crowded(std::string_view text, std::size_t most);

}  // namespace moonlet
