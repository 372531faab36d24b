#include "host/artifact/file/line_reader.h"
#include "host/base/release.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace moonlet {

namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10;
constexpr std::size_t kTail = 1000;
constexpr std::size_t kLongestNumber = 1000;
constexpr std::string_view kBlanks = " \t\v\f\r\xef\xbb\xbf";

bool is_wanted(char first, LineKind kind) {
  if (kind == LineKind::kObject) return first == '{';
  return std::string_view("{}[]\",:-0123456789tfn").find(first) != std::string_view::npos;
}

}  // namespace

bool is_crowded(std::string_view text, std::size_t most) {
  std::size_t values = 0, run = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    switch (text[at]) {
      case '"':
        for (++at; at < text.size() && text[at] != '"'; ++at) {
          if (text[at] == '\\') ++at;
        }
        run = 0;
        break;
      case ',':
      case ':':
      case '[':
      case '{':
        if (++values > most) return true;
        run = 0;
        break;
      case ' ':
      case '\t':
        run = 0;
        break;
      default:
        if (++run > kLongestNumber) return true;
    }
  }
  return false;
}

void LineReader::add(std::string_view bytes) {
  size_ += bytes.size();
  if (state_ == State::kBlank) {
    const bool any = rules_.kind == LineKind::kAny;
    const auto first = any ? 0 : bytes.find_first_not_of(kBlanks);
    if (first != std::string_view::npos && !bytes.empty()) {
      state_ = any || is_wanted(bytes[first], rules_.kind) ? State::kWanted : State::kOther;
      if (state_ == State::kOther) last_other_.clear();
    }
  }
  if (state_ == State::kWanted) {
    if (size_ > rules_.longest) {
      state_ = State::kTooLong;
      release(line_);
    } else {
      line_.append(bytes);
    }
  } else if (state_ == State::kOther) {
    if (bytes.size() > kTail) bytes.remove_prefix(bytes.size() - kTail);
    last_other_.append(bytes);
    if (last_other_.size() > kTail) last_other_.erase(0, last_other_.size() - kTail);
  }
}

void LineReader::end_line(std::vector<Line>& lines) {
  ++number_;
  const auto state = std::exchange(state_, State::kBlank);
  const auto size = std::exchange(size_, 0);
  if (state == State::kOther) {
    ++others_;
  } else if (state == State::kTooLong || (state == State::kWanted && line_.size() > kChunk &&
                                          is_crowded(line_, rules_.most_values))) {
    release(line_);
    lines.push_back({{}, number_, size});
  } else if (state == State::kWanted || rules_.kind == LineKind::kAny) {
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    lines.push_back({std::exchange(line_, {}), number_, 0});
  }
}

void LineReader::take(std::string_view bytes, std::vector<Line>& lines) {
  while (!bytes.empty()) {
    const void* found = std::memchr(bytes.data(), '\n', bytes.size());
    const std::size_t length =
        found == nullptr ? bytes.size()
                         : static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    if (length > 0) add(bytes.substr(0, length));
    if (found == nullptr) return;
    end_line(lines);
    bytes.remove_prefix(length + 1);
  }
}

Result<bool> LineReader::read(std::vector<Line>& lines, bool at_end) {
  std::string chunk(kChunk, '\0');
  ssize_t got;
  do {
    got = ::read(file_.get(), chunk.data(), chunk.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return Error::from_errno(errno, "read", "the output of a step");
  take({chunk.data(), static_cast<std::size_t>(got)}, lines);
  if (got == 0 && at_end && size_ > 0) end_line(lines);
  return got > 0;
}

}  // namespace moonlet
