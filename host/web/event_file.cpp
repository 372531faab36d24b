#include "host/web/event_file.h"

#include <utility>

#include "host/base/ascii.h"

namespace moonlet::web {

namespace {

constexpr std::size_t kBlock = 32 * 1024;
/// moonlet writes only shorter lines. An imported file may have longer ones.
constexpr std::size_t kLongestLine = std::size_t{16} << 20;

/// The number of an event follows the last `,"number":` in its line. Text of an agent cannot forge
/// it: the field "data" comes earlier, and quotes in later strings are escaped.
constexpr std::string_view kNumber = ",\"number\":";

/// Returns the number of the event in the line, or 0 if the line is not an event.
std::uint64_t number_of(std::string_view line) {
  const auto found = line.rfind(kNumber);
  if (found == std::string_view::npos || line.back() != '}') return 0;
  std::uint64_t number = 0;
  for (std::size_t i = found + kNumber.size(); i < line.size() && is_digit(line[i]); ++i) {
    number = number * 10 + static_cast<std::uint64_t>(line[i] - '0');
  }
  return number;
}

}  // namespace

std::optional<EventLine> EventFile::next() {
  while (const auto line = next_line()) {
    const std::uint64_t number = line->empty() ? 0 : number_of(*line);
    if (number != 0) return EventLine{*line, number};
  }
  return std::nullopt;
}

std::optional<std::string_view> EventFile::next_line() {
  while (file_) {
    const auto end = text_.find('\n', searched_);
    if (end != std::string::npos) {
      const std::string_view line(text_.data() + at_, end - at_);
      at_ = searched_ = end + 1;
      ++line_number_;
      if (std::exchange(is_too_long_, false)) continue;
      return line;
    }
    text_.erase(0, at_);
    at_ = 0;
    if (text_.size() > kLongestLine) {
      text_.clear();
      is_too_long_ = true;
    }
    searched_ = text_.size();
    text_.resize(searched_ + kBlock);
    const long count = read_some(file_.get(), text_.data() + searched_, kBlock);
    text_.resize(searched_ + static_cast<std::size_t>(count > 0 ? count : 0));
    if (count > 0) continue;
    if (text_.empty()) text_ = std::string();
    return std::nullopt;
  }
  return std::nullopt;
}

std::string text_of(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_json_line(std::string_view line) {
  return line.find('\r') == std::string_view::npos && nlohmann::json::accept(line);
}

std::string_view last_field(std::string_view line, std::string_view name) {
  const std::string field = ",\"" + std::string(name) + "\":\"";
  const auto tail = line.rfind(kNumber);
  const auto found = tail == std::string_view::npos ? tail : line.find(field, tail);
  if (found == std::string_view::npos) return {};
  const auto begin = found + field.size();
  for (std::size_t i = begin; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      return line.substr(begin, i - begin);
    }
  }
  return {};
}

}  // namespace moonlet::web
