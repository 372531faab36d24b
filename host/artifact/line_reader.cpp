#include "host/artifact/line_reader.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace moonlet {

void LineReader::end_line(std::vector<std::string>& lines) {
  if (skipping_) {
    ++skipped_;
    skipping_ = false;
    return;
  }
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  lines.push_back(std::exchange(line_, {}));
}

void LineReader::take(const char* data, std::size_t size, std::vector<std::string>& lines) {
  while (size > 0) {
    const void* found = std::memchr(data, '\n', size);
    const std::size_t length =
        found == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(found) - data);
    if (!skipping_ && line_.size() + length > line_cap_) {
      skipping_ = true;
      line_ = {};
    }
    if (!skipping_) line_.append(data, length);
    if (found == nullptr) return;
    end_line(lines);
    data += length + 1;
    size -= length + 1;
  }
}

Result<bool> LineReader::read(std::vector<std::string>& lines, bool at_end) {
  constexpr std::size_t kChunk = 256 << 10;
  std::string chunk(kChunk, '\0');
  ssize_t got;
  do {
    got = ::read(file_.get(), chunk.data(), chunk.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return Error::from_errno(errno, "read", "the output of a step");
  take(chunk.data(), static_cast<std::size_t>(got), lines);
  if (got == 0 && at_end && (skipping_ || !line_.empty())) end_line(lines);
  return got > 0;
}

}  // namespace moonlet
