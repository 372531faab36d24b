#include "host/process/session/terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "host/base/append_lines.h"
#include "host/base/clock.h"
#include "host/base/json.h"
#include "host/process/session/evidence.h"

namespace moonlet {

namespace {

// Remember this many lines to recognise repeated lines.
constexpr std::size_t kSeen = 512;
constexpr std::size_t kMostTags = 65536;
// Output of at least kFlood bytes within kRateMs is called a flood.
constexpr std::int64_t kRateMs = 250;
constexpr std::size_t kFlood = 512 * 1024;
// During a flood, plain output is collected, and drawn when it reaches this size or age.
// Output with an escape sequence is drawn immediately.
constexpr std::size_t kMostUndrawn = 256 * 1024;
constexpr std::int64_t kUndrawnMs = 20;

Error system_error(std::string_view doing) { return Error::from_errno(errno, doing); }

// Hashes a line without spinners, clocks and amounts, which change by themselves.
// Includes progress numbers, such as "17/90" and "case_17". Returns 0 for less than three letters.
std::uint64_t hash_of_line(std::string_view text) {
  std::uint64_t hash = 1469598103934665603u;
  std::size_t letters = 0;
  bool named = false;  // the word begins with a letter: true in "case_17", false in "17s"
  char before = ' ';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '_';
    const bool is_digit = c >= '0' && c <= '9';
    if (is_letter && !(before >= '0' && before <= '9')) named = true;
    if (!is_letter && !is_digit) named = false;
    before = c;
    const bool is_counted = i + 1 < text.size() && text[i + 1] == '/';  // as in "17/90"
    if (!is_letter && !(is_digit && (named || is_counted))) continue;
    if (is_letter) ++letters;
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return letters < 3 ? 0 : hash;
}

winsize window_of(ScreenSize size) {
  winsize window{};
  window.ws_row = static_cast<unsigned short>(size.rows);
  window.ws_col = static_cast<unsigned short>(size.cols);
  return window;
}

nlohmann::json describe_screen(const Screen& screen, std::size_t history) {
  const Screen::Cursor cursor = screen.cursor();
  return {
      {"rows", screen.size().rows},
      {"cols", screen.size().cols},
      {"cursor", {{"row", cursor.row}, {"col", cursor.col}, {"visible", cursor.visible}}},
      {"alternate", screen.alternate()},
      {"title", screen.title()},
      {"lines", screen.rows()},
      {"history", screen.history(history)},
      {"lines_gone", screen.lines_gone()},
      {"history_gap", screen.history_has_gap()},
  };
}

}  // namespace

std::string replay_screen(std::string_view bytes, int rows, int cols, std::size_t history) {
  Screen screen({rows, cols}, {});
  screen.feed(bytes);
  return json_text(describe_screen(screen, history));
}

Terminal::Terminal(Options options)
    : redactor_(std::move(options.redactor)),
      started_ms_(options.now_ms),
      now_ms_(options.now_ms),
      output_ms_(options.now_ms),
      novel_ms_(options.now_ms),
      screen_(options.size, {[this](std::string_view bytes) {
                               if (waiting_.size() + bytes.size() > kMostWaiting) return;
                               waiting_ += bytes;
                               if (is_typing_) input_bytes_ += bytes.size();
                             },
                             [this](std::string_view text) { saw_line(text); }}) {
  if (redactor_ && !redactor_->empty()) stream_ = std::make_unique<StreamRedactor>(*redactor_);
}

Result<Terminal::Opened> Terminal::open(Options options) {
  const int dir_fd = options.dir_fd;
  const std::uint64_t cap = options.log_cap;
  const std::int64_t now_ms = options.now_ms;
  std::unique_ptr<Terminal> terminal(new Terminal(std::move(options)));
  terminal->dir_ = Fd(fcntl(dir_fd, F_DUPFD_CLOEXEC, 3));
  if (!terminal->dir_) return system_error("use the session's folder");
  // Other flags of posix_openpt() are not portable.
  Fd master(posix_openpt(O_RDWR | O_NOCTTY));
  if (!master || grantpt(master.get()) != 0 || unlockpt(master.get()) != 0 ||
      fcntl(master.get(), F_SETFD, FD_CLOEXEC) != 0 ||
      fcntl(master.get(), F_SETFL, O_NONBLOCK) != 0) {
    return system_error("make a pseudo-terminal");
  }
  const char* const name = ptsname(master.get());
  if (name == nullptr) return system_error("name a terminal");
  Opened opened;
  opened.program = Fd(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!opened.program) return system_error("open a pseudo-terminal");
  const winsize window = window_of(terminal->screen_.size());
  if (ioctl(master.get(), TIOCSWINSZ, &window) != 0) return system_error("size a terminal");
  termios settings{};
  if (tcgetattr(opened.program.get(), &settings) == 0) {
#ifdef IUTF8
    settings.c_iflag |= IUTF8;
#endif
    (void)tcsetattr(opened.program.get(), TCSANOW, &settings);
  }
  opened.reading = fcntl(master.get(), F_DUPFD_CLOEXEC, 3);
  if (opened.reading < 0) return system_error("read a pseudo-terminal");
  terminal->master_ = std::move(master);
  auto log = terminal->log_.open(terminal->dir_.get(), cap, now_ms, terminal->screen_.size());
  if (!log) {
    close(opened.reading);
    return log.error();
  }
  opened.terminal = std::move(terminal);
  return opened;
}

void Terminal::feed(std::string_view bytes, std::int64_t now_ms) {
  now_ms_ = output_ms_ = now_ms;
  if (sink_) sink_(bytes);
  if (!stream_) return keep(bytes, now_ms);
  std::string settled;
  stream_->feed(bytes, settled);
  keep(settled, now_ms);
}

void Terminal::keep(std::string_view bytes, std::int64_t now_ms) {
  log_.append(bytes, now_ms);
  watch_rate(bytes.size(), now_ms);
  if (!screen_.flooded()) {
    screen_.feed(bytes);
    flush();
    return;
  }
  repeats_ += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  if (undrawn_.empty()) undrawn_since_ms_ = now_ms;
  undrawn_ += bytes;
  if (undrawn_.size() >= kMostUndrawn || bytes.find('\x1b') != bytes.npos) settle();
}

void Terminal::settle() {
  if (undrawn_.empty()) return;
  screen_.feed(undrawn_);
  undrawn_.clear();
  flush();
}

// Detects floods of output. A flood ends after a quarter of a second with little output.
void Terminal::watch_rate(std::size_t bytes, std::int64_t now_ms) {
  rate_bytes_ += bytes;
  const bool over = now_ms - rate_since_ms_ >= kRateMs;
  const bool flooded = rate_bytes_ >= kFlood;
  if (flooded != screen_.flooded() && (flooded || over)) {
    settle();
    screen_.set_flooded(flooded);
  }
  if (!over) return;
  rate_since_ms_ = now_ms;
  rate_bytes_ = 0;
}

Captured Terminal::finish(std::int64_t now_ms, const Capture::MakeRoom& make_room) {
  if (stream_) {
    std::string settled;
    stream_->finish(settled);
    keep(settled, now_ms);
  }
  settle();
  log_.finish(output_ms_, make_room);
  record_holes(make_room);
  save_screen(now_ms, make_room);
  master_.close();
  Captured captured;
  captured.total = log_.printed();
  captured.kept = log_.printed() - log_.lost();
  if (log_.lost() > 0) captured.write_errno = log_.write_errno();
  return captured;
}

// Writes an event for each loss of output. Retries events that a full disk refused.
void Terminal::record_holes(const Capture::MakeRoom& make_room) {
  for (const SessionLog::Hole& hole : log_.take_holes()) {
    const nlohmann::json event = {{"type", "output-missing"},
                                  {"bytes", hole.bytes},
                                  {"offset", hole.offset},
                                  {"why", std::strerror(hole.write_errno)},
                                  {"at", iso8601_utc(system_clock().wall_ms())}};
    events_ += json_text(event) + "\n";
  }
  if (events_.empty()) return;
  Fd file(openat(dir_.get(), kEventsName,
                 O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file) return;
  int number = append_lines(file.get(), events_);
  if (number != 0 && make_room && make_room(events_.size())) {
    number = append_lines(file.get(), events_);
  }
  if (number == 0) events_.clear();
}

// Writes the last screen and its history. If that fails, for example on a full disk, omits the
// history.
void Terminal::save_screen(std::int64_t now_ms, const Capture::MakeRoom& make_room) {
  const auto save = [&](const std::string& text) {
    Fd file(openat(dir_.get(), kScreenName, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                   0600));
    return file && write_all(file.get(), text) == 0;
  };
  if (save(describe(0, Screen::kMostHistory, now_ms) + "\n")) return;
  const std::string text = describe(0, 0, now_ms) + "\n";
  // Truncate the file before making room, so that its old content needs no extra space.
  if (save("") && make_room) (void)make_room(text.size());
  if (!save(text)) unlinkat(dir_.get(), kScreenName, 0);
}

Result<void> Terminal::type(const std::vector<TypedPart>& parts, std::string_view tag,
                            std::int64_t now_ms) {
  if (!tag.empty() && typed_tags_.count(std::string(tag)) != 0) return {};
  if (waiting_.size() > kMostWaiting / 2 || typed_tags_.size() >= kMostTags) {
    return Error{ErrorKind::kLimit, "the program does not read what is typed",
                 "wait until it does, or end the session"};
  }
  const std::size_t before = waiting_.size();
  const std::uint64_t input_before = input_bytes_;
  is_typing_ = true;
  for (const TypedPart& part : parts) {
    bool known = true;
    switch (part.kind) {
      case TypedPart::Kind::kText:
        screen_.type(part.text);
        break;
      case TypedPart::Kind::kKey:
        known = screen_.press(part.text);
        break;
      case TypedPart::Kind::kBytes:
        waiting_ += part.text;
        input_bytes_ += part.text.size();
        break;
    }
    if (known) continue;
    waiting_.resize(before);
    input_bytes_ = input_before;
    is_typing_ = false;
    return Error{ErrorKind::kInvalid, "there is no key '" + part.text.substr(0, 40) + "'",
                 "keys are enter, tab, escape, up, down, left, right, home, end, pageup, pagedown, "
                 "backspace, delete, insert, space, f1 to f12, ctrl-LETTER, alt-LETTER, shift-tab"};
  }
  is_typing_ = false;
  if (!tag.empty()) typed_tags_.emplace(tag);
  input_ms_ = now_ms;
  input_at_ = log_.end();
  flush();
  return {};
}

bool Terminal::tend(std::int64_t now_ms) {
  if (now_ms - undrawn_since_ms_ >= kUndrawnMs) settle();
  flush();
  return !undrawn_.empty() || (master_ && !waiting_.empty());
}

void Terminal::flush() {
  while (master_ && !waiting_.empty()) {
    const ssize_t written = write(master_.get(), waiting_.data(), waiting_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    waiting_.erase(0, static_cast<std::size_t>(written));
  }
}

void Terminal::resize(ScreenSize size, std::int64_t now_ms) {
  screen_.resize(size);
  log_.resized(screen_.size(), now_ms);
  const winsize window = window_of(screen_.size());
  // TIOCSWINSZ makes the kernel send SIGWINCH to the program.
  if (master_) (void)ioctl(master_.get(), TIOCSWINSZ, &window);
}

void Terminal::saw_line(std::string_view text) {
  const std::uint64_t hash = hash_of_line(text);
  if (hash == 0) return;
  if (!seen_.insert(hash).second) {
    ++repeats_;
    return;
  }
  seen_order_.push_back(hash);
  if (seen_order_.size() > kSeen) {
    seen_.erase(seen_order_.front());
    seen_order_.pop_front();
  }
  novel_ms_ = now_ms_;
  repeats_ = 0;
}

void Terminal::sample(std::int64_t now_ms) {
  log_.retry();
  record_holes();
  if (screen_.version() == sampled_version_) return;
  sampled_version_ = screen_.version();
  now_ms_ = now_ms;
  // If no row is new, restore `repeats_`, because an unchanged row is not repeated output.
  const std::uint64_t repeats = repeats_;
  const std::int64_t novel = novel_ms_;
  for (int row = 0; row < screen_.size().rows; ++row) saw_line(screen_.row(row));
  if (novel_ms_ == novel) repeats_ = repeats;
}

void Terminal::attach(std::function<void(std::string_view)> sink, std::int32_t pid) {
  sink_ = std::move(sink);
  attached_ = sink_ ? pid : 0;
}

std::string Terminal::describe(pid_t main, std::size_t history, std::int64_t now_ms) const {
  nlohmann::json facts = describe_screen(screen_, history);
  facts.update({
      {"log_begin", log_.begin()},
      {"log_end", log_.end()},
      {"log_lost", log_.lost()},
      {"log_waiting", log_.waiting()},
      {"age_ms", now_ms - started_ms_},
      {"silent_ms", now_ms - output_ms_},
      {"same_ms", now_ms - novel_ms_},
      {"repeats", repeats_},
      {"input_bytes", input_bytes_},
      {"unread_input", waiting_.size()},
      {"attached", attached_},
  });
  if (log_.lost() > 0 || log_.waiting() > 0) {
    facts["log_error"] = std::strerror(log_.write_errno());
  }
  if (input_bytes_ > 0) {
    facts["input_ms"] = now_ms - input_ms_;
    facts["input_at"] = input_at_;
  }
  if (main != 0 && master_) {
    facts["program"] = terminal_facts(master_.get());
    facts["processes"] = process_facts(main, tcgetpgrp(master_.get()));
  }
  return json_text(facts);
}

}  // namespace moonlet
