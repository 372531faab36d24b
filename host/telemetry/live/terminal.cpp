#include "host/telemetry/live/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "host/base/ascii.h"

namespace moonlet {

namespace {

constexpr std::int64_t kBetweenFrames = 100;  // minimum time between two frames, in ms
constexpr std::int64_t kClockStep = 1000;
constexpr std::uint64_t kIdleTick = 250;  // a new terminal size is noticed within this time, in ms
constexpr std::size_t kMostWaiting = 256 * 1024;

// While a frame is drawn, hide the cursor and let the terminal cut long lines instead of wrapping
// them.
constexpr std::string_view kFrameBegin = "\x1b[?25l\x1b[?7l";
constexpr std::string_view kFrameEnd = "\x1b[?7h\x1b[?25h";
constexpr std::string_view kBreakLines = "\x1b[?7h";
constexpr std::string_view kCutLines = "\x1b[?7l";
constexpr std::string_view kClearLine = "\x1b[2K";

bool is_set(const char* value) { return value != nullptr && *value != 0; }

bool is_foreground(int fd) {
  const pid_t group = ::tcgetpgrp(fd);
  // tcgetpgrp() fails if `fd` is not the controlling terminal, so there is no foreground group to
  // compare with.
  return group == -1 || group == ::getpgrp();
}

/// Returns true if the terminal accepts output, and false while ^S pauses it.
bool is_ready(int fd) {
  pollfd poll_fd{fd, POLLOUT, 0};
  return ::poll(&poll_fd, 1, 0) != 0;
}

bool speaks_utf8(const EnvironmentLookup& env) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = env(name);
    if (!is_set(value)) continue;
    const std::string text = lower(value);
    return text.find("utf-8") != std::string::npos || text.find("utf8") != std::string::npos;
  }
  return false;
}

}  // namespace

bool can_show_live(int fd, const EnvironmentLookup& env) {
  const char* term = env("TERM");
  if (!is_set(term) || std::strcmp(term, "dumb") == 0) return false;
  const char* ci = env("CI");
  if (is_set(ci) && std::strcmp(ci, "false") != 0 && std::strcmp(ci, "0") != 0) return false;
  return ::isatty(fd) == 1 && is_foreground(fd);
}

LiveTerminal::Options LiveTerminal::options_from(const EnvironmentLookup& env) {
  Options options;
  options.colour = !is_set(env("NO_COLOR"));
  options.unicode = speaks_utf8(env);
  return options;
}

LiveTerminal::LiveTerminal(Loop& loop, Options options)
    : loop_(loop), options_(std::move(options)), timer_(new uv_timer_t{}) {
  if (options_.keys >= 0) echo_off_.emplace(options_.keys);
  uv_timer_init(loop_.raw(), timer_);
  timer_->data = this;
  uv_timer_start(
      timer_, [](uv_timer_t* timer) { static_cast<LiveTerminal*>(timer->data)->draw_due(); },
      kIdleTick, kIdleTick);
  // The timer must not keep the loop alive. Otherwise the loop would never detect that a script is
  // deadlocked.
  uv_unref(reinterpret_cast<uv_handle_t*>(timer_));
}

LiveTerminal::~LiveTerminal() {
  finish();
  uv_timer_stop(timer_);
  uv_close(reinterpret_cast<uv_handle_t*>(timer_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
}

void LiveTerminal::emit(const Event& event) {
  const bool seen = model_.apply(event);
  // Print logs and warnings as text above the view, so that they stay readable.
  if (event.type == EventType::kLog || event.type == EventType::kWarning) add_message(event);
  if (event.type == EventType::kRunFinished) return finish();
  if (!seen && waiting_.empty()) return;
  if (finished_) return replace({});
  draw_when_due();
}

/// Queues the lines of a message for the next frame, so that messages cause at most ten writes a
/// second.
void LiveTerminal::add_message(const Event& event) {
  const auto lines = render_message(event, style(size()));
  if (lines.empty()) return;
  if (waiting_.size() > kMostWaiting) {
    draw();
    if (waiting_.size() > kMostWaiting) {
      ++left_out_;
      return;
    }
  }
  const bool coloured = options_.colour && event.type == EventType::kWarning;
  if (coloured) waiting_ += "\x1b[33m";
  for (const auto& line : lines) waiting_.append(line).append("\n");
  if (coloured) waiting_ += "\x1b[0m";
}

/// Marks the view as changed. Sets the timer to fire as soon as the minimum time since the last
/// frame has passed.
void LiveTerminal::draw_when_due() {
  if (std::exchange(dirty_, true)) return;
  const std::int64_t since = loop_.clock().monotonic_ms() - drawn_at_ms_;
  const auto wait = static_cast<std::uint64_t>(
      std::clamp<std::int64_t>(kBetweenFrames - since, 1, kBetweenFrames));
  uv_update_time(loop_.raw());
  uv_timer_start(timer_, timer_->timer_cb, wait, kIdleTick);
}

void LiveTerminal::draw_due() {
  if (suspended_ || finished_) return;
  if (options_.take_continued && options_.take_continued()) {
    drawn_.clear();
    dirty_ = true;
    if (echo_off_) echo_off_->again();
  }
  const std::int64_t since = loop_.clock().monotonic_ms() - drawn_at_ms_;
  const bool is_due = since >= kClockStep || (dirty_ && since >= kBetweenFrames);
  if (is_due || size() != drawn_size_) draw();
}

LiveTerminal::Size LiveTerminal::size() const {
  winsize size{};
  if (::ioctl(options_.fd, TIOCGWINSZ, &size) != 0) return drawn_size_;
  return {size.ws_col != 0 ? size.ws_col : 80, size.ws_row != 0 ? size.ws_row : 24};
}

/// Returns true if this process is in the foreground. Otherwise the output of another program may
/// be mixed with the view, so the view is not erased later.
bool LiveTerminal::is_ours() {
  if (is_foreground(options_.fd)) return true;
  drawn_.clear();
  return false;
}

/// Returns the escape sequences that erase the drawn view and move the cursor to where it began.
std::string LiveTerminal::erased(const Size& now) {
  if (!is_ours() || drawn_.empty()) return {};
  // If the terminal has become narrower, it has wrapped the drawn lines that no longer fit.
  int rows = 0;
  for (const auto& line : drawn_) {
    const bool broken = now.width < drawn_size_.width && line.columns > now.width;
    rows += broken ? (line.columns + now.width - 1) / now.width : 1;
  }
  drawn_.clear();
  // Erase line by line: if the screen is cleared at once, tmux copies its content to the history.
  const std::string up = "\x1b[" + std::to_string(rows) + "A\r";
  std::string out = up;
  for (int i = 0; i < rows; ++i) out.append(kClearLine).append("\x1b[1B");
  return out.append(kClearLine).append(up);
}

LiveStyle LiveTerminal::style(const Size& now) const {
  // Keep the last column free, because terminals differ in how they wrap a full line.
  // Keep two lines free: one for the cursor and one above the view.
  return {std::max(now.width - 1, 1), std::max(now.height - 2, 1), options_.colour,
          options_.unicode, options_.help};
}

/// Returns the queued lines and clears the queue.
std::string LiveTerminal::waiting_lines() {
  if (waiting_.empty()) return {};
  std::string out = std::string(kBreakLines) + waiting_;
  if (left_out_ > 0) out += "(" + std::to_string(left_out_) + " lines are only in events.jsonl)\n";
  waiting_.clear();
  left_out_ = 0;
  return out + std::string(kCutLines);
}

void LiveTerminal::draw() {
  dirty_ = false;
  if (suspended_ || !is_ours() || !is_ready(options_.fd)) return;
  const Size now = size();
  auto lines = render_live(model_, style(now), loop_.clock().wall_ms());
  drawn_at_ms_ = loop_.clock().monotonic_ms();
  if (lines.empty() && drawn_.empty() && waiting_.empty()) return;
  std::string out(kFrameBegin);
  if (std::exchange(mid_line_, false)) out += "\r\n";
  if (now != drawn_size_ || !waiting_.empty() || lines.size() < drawn_.size()) {
    out += erased(now);
  } else if (!drawn_.empty()) {
    out += "\x1b[" + std::to_string(drawn_.size()) + "A\r";
  }
  out += waiting_lines();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i >= drawn_.size() || lines[i].text != drawn_[i].text) {
      // Clear the line before writing it. tmux wraps by the line's old length.
      out.append(kClearLine).append(lines[i].text);
    }
    out += "\r\n";
  }
  // Erase what the user has typed on the cursor's line.
  out.append(kClearLine).append(kFrameEnd);
  drawn_ = std::move(lines);
  drawn_size_ = now;
  options_.write(out);
}

/// Erases the view, prints the queued lines, and then prints the lines in `last`.
void LiveTerminal::replace(const std::vector<LiveLine>& last) {
  std::string out;
  if (std::exchange(mid_line_, false)) out += "\r\n";
  out += erased(size());
  out += waiting_lines();
  for (const auto& line : last) out.append(line.text).append("\n");
  if (!out.empty()) options_.write(std::string(kFrameBegin) + out + std::string(kFrameEnd));
}

void LiveTerminal::print_above(std::string_view text,
                               const std::function<void(std::string_view)>& print) {
  if (!suspended_ && !text.empty()) replace({});
  print(text);
  if (suspended_ || finished_ || text.empty()) return;
  mid_line_ = text.back() != '\n';
  draw_when_due();
}

void LiveTerminal::suspend() {
  if (suspended_ || finished_) return;
  replace({});
  suspended_ = true;
  EchoOff::restore();
}

void LiveTerminal::say_stopping() {
  options_.help = options_.help_stopping;
  draw_when_due();
}

void LiveTerminal::resume(bool at_line_start) {
  if (!suspended_) return;
  suspended_ = false;
  if (echo_off_) echo_off_->again();
  mid_line_ = !at_line_start;
  draw();
}

void LiveTerminal::finish() {
  if (finished_) return;
  finished_ = true;
  echo_off_.reset();
  mid_line_ = mid_line_ || suspended_;  // the cursor may be on the line of an unanswered question
  suspended_ = false;
  replace(model_.ended_ms ? render_final(model_, style(size()), loop_.clock().wall_ms())
                          : std::vector<LiveLine>{});
}

}  // namespace moonlet
