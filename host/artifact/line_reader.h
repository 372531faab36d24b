// Reads a file line by line while somebody else still writes it. It owns the descriptor and at most
// one line; a line that is too long is skipped and counted. Any thread, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/artifact/fd.h"
#include "host/base/result.h"

namespace moonlet {

class LineReader {
 public:
  /// `file` is open for reading and at its beginning; lines of more than `line_cap` bytes are
  /// skipped.
  LineReader(Fd file, std::size_t line_cap) : file_(std::move(file)), line_cap_(line_cap) {}

  /// Appends the next lines, without their ends (LF or CRLF), from up to 256 KB of the file. False
  /// when there is nothing new at the moment. With `at_end` nothing will follow, and what has no
  /// line end counts as a line. Errors: kFailed with the errno.
  Result<bool> read(std::vector<std::string>& lines, bool at_end);

  /// Lines that were too long.
  std::uint64_t skipped() const { return skipped_; }

 private:
  void take(const char* data, std::size_t size, std::vector<std::string>& lines);
  void end_line(std::vector<std::string>& lines);

  Fd file_;
  std::size_t line_cap_;
  std::string line_;
  bool skipping_ = false;
  std::uint64_t skipped_ = 0;
};

}  // namespace moonlet
