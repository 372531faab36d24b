#include "host/process/session/vterm_input.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr char kEscape = '\x1b', kCancel = '\x18', kSubstitute = '\x1a';
constexpr std::string_view kSaveCursor = "\x1b\x37", kRestoreCursor = "\x1b\x38";
constexpr std::string_view kStringEnds = "\x1b\x18\x1a";
constexpr std::size_t kMostParameters = 256;  // maximum bytes of a control sequence's parameters
constexpr std::size_t kMostNumbers = 16, kMostDigits = 5, kMostBetween = 3;
constexpr int kMostRepeats = 500;

bool is_control(char byte) { return static_cast<unsigned char>(byte) < 0x20; }

// Returns the offset of the first control character above 0x7f in valid UTF-8, or the size.
std::size_t find_upper_control(std::string_view bytes) {
  std::size_t at = bytes.find('\xc2');
  while (at < bytes.size() && static_cast<unsigned char>(bytes[at + 1]) >= 0xa0) {
    at = bytes.find('\xc2', at + 2);
  }
  return std::min(at, bytes.size());
}

// Limits the parameters of a control sequence in number and length.
std::string within_limits(std::string_view numbers) {
  std::string kept;
  std::size_t separators = 0, digits = 0;
  for (const char byte : numbers) {
    if (byte == ';' || byte == ':') {
      if (++separators == kMostNumbers) break;
      digits = 0;
    } else if (++digits > kMostDigits) {
      continue;
    }
    kept += byte;
  }
  return kept;
}

// Returns the size of a complete control sequence that can be passed on unchanged, or 0.
std::size_t plain_sequence(std::string_view bytes) {
  if (bytes.size() < 2 || bytes[1] != '[') return 0;
  std::size_t digits = 0;
  for (std::size_t at = 2; at < std::min(bytes.size(), kMostNumbers + 2); ++at) {
    const char byte = bytes[at];
    if (byte == ';') {
      digits = 0;
    } else if (byte < '0' || byte > '9') {
      const bool ends = byte >= '@' && byte <= '~';
      return ends && std::string_view("bhrsu").find(byte) == std::string_view::npos ? at + 1 : 0;
    } else if (++digits > kMostDigits) {
      return 0;
    }
  }
  return 0;
}

}  // namespace

std::string_view VtermInput::clean(std::string_view bytes) {
  if (!unfinished_.empty()) {
    joined_ = std::exchange(unfinished_, {});
    bytes = joined_.append(bytes);
  }
  const std::size_t held = unfinished_utf8(bytes);
  unfinished_ = bytes.substr(bytes.size() - held);
  bytes.remove_suffix(held);
  if (!is_valid_utf8(bytes)) bytes = joined_ = to_valid_utf8(bytes);
  const bool has_upper = bytes.find('\xc2') != std::string_view::npos;
  out_.clear();
  // Copy input only if a part changed, because most input passes unchanged.
  const char* stretch = bytes.data();
  const auto put_stretch = [&] { out_.append(stretch, bytes.data()); };
  while (!bytes.empty()) {
    if (state_ != State::kText) {
      bytes.remove_prefix(take(bytes));
      stretch = bytes.data();
      continue;
    }
    const auto text = bytes.substr(0, bytes.find(kEscape));
    if (has_upper) {
      put_stretch();
      put_text(text);
      stretch = bytes.data() + text.size();
    } else if (!text.empty()) {
      saw_character(text.back());
    }
    bytes.remove_prefix(text.size());
    if (bytes.empty()) break;
    const std::size_t size = plain_sequence(bytes);
    if (size == 0) {
      put_stretch();
      begin_escape();
      bytes.remove_prefix(1);
      stretch = bytes.data();
    } else {
      bytes.remove_prefix(size);
      last_ = 0;
    }
  }
  if (out_.empty()) return {stretch, static_cast<std::size_t>(bytes.data() - stretch)};
  put_stretch();
  return out_;
}

// Consumes bytes that continue an open escape sequence or control string.
// Returns the number of consumed bytes.
std::size_t VtermInput::take(std::string_view bytes) {
  if (state_ == State::kString) {
    const std::size_t end = std::min(bytes.find_first_of(kStringEnds), bytes.size());
    if (end < bytes.size()) state_ = State::kText;
    return end;
  }
  // A non-ASCII character is invalid in a control sequence: drop the sequence.
  if (static_cast<unsigned char>(bytes[0]) >= 0x80) {
    state_ = State::kText;
    return 0;
  }
  state_ == State::kEscape ? put_escape(bytes[0]) : put_sequence(bytes[0]);
  return 1;
}

void VtermInput::begin_escape() {
  state_ = State::kEscape;
  parameters_.clear();
}

void VtermInput::put_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t control = find_upper_control(text);
    out_.append(text.substr(0, control));
    text.remove_prefix(std::min(control + 2, text.size()));
    if (control > 0) saw_character(out_.back());
  }
}

// Handles the byte after an ESC. The ESC itself was not appended to `out_` yet.
void VtermInput::put_escape(char byte) {
  if (byte == '[') {
    state_ = State::kSequence;
    parameters_.clear();
  } else if (byte == kCancel || byte == kSubstitute) {
    state_ = State::kText;
    out_ += byte;
  } else if (byte == kEscape) {
    parameters_.clear();
  } else if (is_control(byte)) {
    out_ += byte;
  } else if (byte < '0') {
    if (parameters_.size() <= kMostBetween) parameters_ += byte;
  } else if (parameters_.empty() && (byte == 'X' || byte == '^' || byte == '_')) {
    state_ = State::kString;
  } else if (byte != 0x7f) {
    state_ = State::kText;
    last_ = 0;
    if (parameters_.size() > kMostBetween) return;
    out_.append("\x1b").append(parameters_) += byte;
    if (byte == '8' && parameters_.empty()) out_ += kComeInside;
  }
}

void VtermInput::put_sequence(char byte) {
  if (byte == kEscape) {
    begin_escape();
  } else if (byte == kCancel || byte == kSubstitute) {
    state_ = State::kText;
    out_ += byte;
  } else if (is_control(byte)) {
    out_ += byte;
  } else if (byte >= ' ' && byte < '@') {
    if (parameters_.size() <= kMostParameters) parameters_ += byte;
  } else if (byte != 0x7f) {
    state_ = State::kText;
    if (parameters_.size() <= kMostParameters) end_sequence(byte);
    last_ = 0;
  }
}

void VtermInput::end_sequence(char final) {
  const std::string_view all = parameters_;
  const auto leader = all.substr(0, std::min(all.find_first_not_of("<=>?"), all.size()));
  const auto rest = all.substr(leader.size());
  const auto numbers =
      rest.substr(0, std::min(rest.find_first_not_of("0123456789:;"), rest.size()));
  const auto between = rest.substr(numbers.size());
  if (leader.size() > kMostBetween || between.size() > kMostBetween ||
      between.find_first_of("0123456789:;<=>?") != std::string_view::npos)
    return;
  if (final == 'b') {
    if (leader.empty() && between.empty()) repeat(numbers);
    return;
  }
  if (all.empty() && final == 's') {
    out_ += kSaveCursor;
    return;
  }
  if (all.empty() && final == 'u') {
    out_.append(kRestoreCursor).append(kComeInside);
    return;
  }
  // Reset the margins too, because libvterm keeps them after a soft reset.
  if (all == "!" && final == 'p') {
    out_.append(kSaveCursor).append("\x1b[?6l\x1b[r").append(kRestoreCursor);
  }
  has_margins_ |= final == 'r' || (final == 'h' && numbers.find("69") != std::string_view::npos);
  out_.append("\x1b[").append(leader).append(within_limits(numbers)).append(between);
  out_ += final;
}

void VtermInput::repeat(std::string_view count) {
  int times = 1;
  if (std::from_chars(count.data(), count.data() + count.size(), times).ec ==
      std::errc::result_out_of_range) {
    times = kMostRepeats;
  }
  if (last_ != 0) out_.append(static_cast<std::size_t>(std::clamp(times, 1, kMostRepeats)), last_);
}

}  // namespace moonlet
