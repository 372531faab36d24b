#include "host/process/client/session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "host/base/fd.h"
#include "host/process/client/requests.h"

namespace moonlet {

namespace {

constexpr std::int64_t kStartMs = 30000;

Error unexpected() {
  return Error{ErrorKind::kFailed, "the session's keeper gave another answer than was asked for",
               "use the version of moonlet that started the session"};
}

/// RawTerminal keeps the user's terminal in raw mode during its life.
class RawTerminal {
 public:
  RawTerminal() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    cfmakeraw(&raw);
    raw_ = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~RawTerminal() {
    if (!raw_) return;
    // Reset modes that a program may have enabled: screen, mouse, paste marks, focus, keys.
    static constexpr char kReset[] =
        "\x1b[0m\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1004l"
        "\x1b[<u\x1b[>4m\x1b[?1l\x1b>\x1b[?25h\r\n";
    (void)!write(STDOUT_FILENO, kReset, sizeof kReset - 1);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  bool ok() const { return raw_; }

 private:
  termios before_{};
  bool raw_ = false;
};

volatile sig_atomic_t resized = 0;

/// ResizeWatch sets `resized` at each SIGWINCH while the object exists.
class ResizeWatch {
 public:
  ResizeWatch() {
    struct sigaction action {};
    action.sa_handler = [](int) { resized = 1; };
    sigaction(SIGWINCH, &action, &before_);
  }
  ~ResizeWatch() { sigaction(SIGWINCH, &before_, nullptr); }
  ResizeWatch(const ResizeWatch&) = delete;
  ResizeWatch& operator=(const ResizeWatch&) = delete;

 private:
  struct sigaction before_ {};
};

std::int64_t packed(int rows, int cols) { return static_cast<std::int64_t>(rows) << 16 | cols; }

std::int64_t present_size() {
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0) {
    return packed(24, 80);
  }
  return packed(window.ws_row, window.ws_col);
}

/// Returns false if the session has ended or hung up.
bool show_output(Channel& channel) {
  const bool open = channel.fill() == Channel::Read::kOk;
  while (true) {
    auto frame = channel.next();
    if (!frame || !*frame) return frame.ok() && open;
    if ((*frame)->type != FrameType::kText) continue;
    const auto text = decode_text((*frame)->body);
    if (text && write_all(STDOUT_FILENO, *text) != 0) return false;
  }
}

}  // namespace

Result<StartedSession> start_session(const KeeperOptions& options, ChildSpec spec) {
  Loop loop(system_clock());
  if (loop.failure() != 0) return Error::from_errno(loop.failure(), "make an event loop");
  auto keeper = Keeper::start(loop, options);
  if (!keeper) return keeper.error();
  spec.outlives_host = true;
  spec.durable = true;
  auto child = (*keeper)->spawn(std::move(spec));
  bool late = false;
  const auto timer = loop.after(kStartMs, [&late] { late = true; });
  while (!child->done() && child->pid() == 0 && !late) loop.run_once();
  if (!late) loop.cancel(timer);
  StartedSession started{child->pid(), {}};
  if (child->done()) started.exit = std::move(child->exit());
  if (started.pid == 0 && !child->done()) {
    return Error{ErrorKind::kTimeout, "the session's keeper does not answer",
                 "the machine may be out of memory or processes"};
  }
  (*keeper)->let_go();
  return started;
}

Result<std::string> look_at_session(int dir_fd, std::int64_t history) {
  std::string frame;
  encode_number(frame, FrameType::kLook, 0, history);
  auto answer = keeper_request(dir_fd, frame, FrameType::kText);
  if (!answer) return answer;
  auto text = decode_text(*answer);
  return text ? Result<std::string>(std::move(*text)) : unexpected();
}

Result<void> type_into_session(int dir_fd, const TypeFrame& typed) {
  std::string frame;
  encode(frame, typed);
  if (frame.size() > kControlFrameLimit) {
    return Error{
        ErrorKind::kLimit,
        "the text to type has more than " + std::to_string(kControlFrameLimit / 1024) + " KB",
        "put it into a file that the program reads"};
  }
  auto done = keeper_request(dir_fd, frame, FrameType::kDone);
  if (!done) return done.error();
  return {};
}

Result<void> resize_session(int dir_fd, int rows, int cols) {
  return keeper_command(dir_fd, FrameType::kResize, 0, packed(rows, cols));
}

Result<void> end_session(int dir_fd, std::int64_t grace_ms) {
  return keeper_command(dir_fd, FrameType::kEndTerminal, 0, grace_ms);
}

Result<Detached> attach_session(int dir_fd, char key) {
  std::string frame;
  encode_number(frame, FrameType::kAttach, 0, present_size());
  auto connected = keeper_connect(dir_fd, frame, FrameType::kText);
  if (!connected) return connected.error();
  Channel& channel = *connected->channel;
  const ResizeWatch watch;
  const RawTerminal raw;
  if (!raw.ok()) {
    return Error{ErrorKind::kInvalid, "there is no terminal here to attach the session to",
                 "moonlet session screen and session submit need none"};
  }
  const auto first = decode_text(connected->body);
  if (first && write_all(STDOUT_FILENO, *first) != 0) return Detached::kTerminalGone;
  if (!show_output(channel)) return Detached::kSessionEnded;
  while (true) {
    pollfd ready[2] = {
        {STDIN_FILENO, POLLIN, 0},
        {channel.fd(), static_cast<short>(POLLIN | (channel.pending() ? POLLOUT : 0)), 0}};
    const int count = poll(ready, 2, 200);
    if (count < 0 && errno != EINTR) return Detached::kTerminalGone;
    if (resized != 0) {
      resized = 0;
      encode_number(channel.out(), FrameType::kResize, 0, present_size());
    }
    if (count > 0 && ready[1].revents != 0 && !show_output(channel)) return Detached::kSessionEnded;
    if (count > 0 && ready[0].revents != 0) {
      char typed[4096];
      const long got = read_some(STDIN_FILENO, typed, sizeof typed);
      if (got <= 0) return Detached::kTerminalGone;
      char* const end = std::find(typed, typed + got, key);
      if (end != typed) {
        TypeFrame part;
        part.parts.emplace_back(std::uint8_t{2}, std::string(&typed[0], end));
        encode(channel.out(), part);
      }
      if (end != typed + got) {
        (void)channel.flush();
        return Detached::kByKey;
      }
    }
    if (channel.pending() && !channel.flush()) return Detached::kSessionEnded;
  }
}

}  // namespace moonlet
