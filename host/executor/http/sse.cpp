#include "host/executor/http/sse.h"

namespace moonlet::executor {

bool SseParser::feed(std::string_view bytes) {
  if (overflow_) return false;
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes[0] == '\n') bytes.remove_prefix(1);
      continue;
    }
    const auto end = bytes.find_first_of("\r\n");
    line_.append(bytes.substr(0, end));
    if (line_.size() + event_.data.size() > kEventCap) {
      overflow_ = true;
      line_.clear();
      event_ = {};
      return false;
    }
    if (end == std::string_view::npos) break;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    take_line();
  }
  return true;
}

void SseParser::finish() {
  if (overflow_) return;
  if (!line_.empty()) take_line();
  dispatch();
}

void SseParser::take_line() {
  std::string_view line = line_;
  if (first_line_ && line.substr(0, 3) == "\xEF\xBB\xBF") line.remove_prefix(3);
  first_line_ = false;
  if (line.empty()) {
    dispatch();
  } else if (line[0] != ':') {
    const auto colon = line.find(':');
    const auto field = line.substr(0, colon);
    auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
    if (!value.empty() && value[0] == ' ') value.remove_prefix(1);
    if (field == "data") {
      if (has_data_) event_.data += '\n';
      event_.data += value;
      has_data_ = true;
    } else if (field == "event") {
      event_.name = value;
    }
  }
  line_.clear();
}

void SseParser::dispatch() {
  if (has_data_) sink_(event_);
  event_ = {};
  has_data_ = false;
}

}  // namespace moonlet::executor
