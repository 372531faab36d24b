// LineReader reads a file line by line while another process writes the file.
// LineReader owns the descriptor and at most one line. It returns only the size of a too long line.
// A line with too many JSON values counts as too long: decoded, it takes many times its size.
// Any thread may use a LineReader, but only one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet {

/// LineKind selects the lines to return. Other lines are only counted.
enum class LineKind {
  kAny,
  kObject,  ///< lines that begin with "{", after optional blanks and byte order mark
  kJson,    ///< lines that may belong to a JSON text of several lines
};

struct LineRules {
  std::size_t longest = SIZE_MAX;      ///< in bytes
  std::size_t most_values = SIZE_MAX;  ///< approximate limit of JSON values and names in a line
  LineKind kind = LineKind::kAny;
};

struct Line {
  std::string text;
  std::uint64_t number = 0;   ///< the line's number, from 1
  std::uint64_t skipped = 0;  ///< the size of a line whose text is omitted; otherwise 0
};

class LineReader {
 public:
  /// `file` must be open for reading, with its offset at 0.
  LineReader(Fd file, const LineRules& rules) : file_(std::move(file)), rules_(rules) {}

  /// Reads up to 64 KB of the file and appends the lines that end there, without LF or CRLF.
  /// Returns false if there is nothing to read at the moment. Fails with kFailed and the errno.
  /// `at_end` means that the file is complete, so a final part without a line end is a line.
  Result<bool> read(std::vector<Line>& lines, bool at_end);

  /// Returns the number of nonblank lines that LineRules::kind excludes.
  std::uint64_t others() const { return others_; }
  /// Returns the last 1000 bytes of the newest nonblank line that LineRules::kind excludes.
  const std::string& last_other() const { return last_other_; }

 private:
  enum class State {
    kBlank,   // the line has only blanks so far
    kWanted,  // the line is wanted; `line_` collects its text
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

/// Returns true if a JSON text has more than `most` values and names, or a number that is longer
/// than 1000 characters. Decoding such a text would take many times its size in memory.
bool is_crowded(std::string_view text, std::size_t most);

}  // namespace moonlet
