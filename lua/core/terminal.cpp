// core.terminal asks the user questions, and reads standard input and the terminal's size.
// Using the standard streams requires EngineOptions::interactive.
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <memory>

#include "host/base/clock.h"
#include "host/base/text.h"
#include "host/telemetry/live/terminal.h"
#include "lua/core/core.h"
#include "lua/vm/bind.h"
#include "lua/vm/scheduler.h"

namespace moonlet {

namespace {

constexpr std::size_t kLongestLine = 64 * 1024;

/// LineRead reads a line from the terminal on descriptor 0. The terminal itself edits the line, so
/// the descriptor becomes readable only when the line is complete.
class LineRead final : public Operation {
 public:
  /// Starts to read a line. `view` must be suspended. It is resumed when the line is complete or
  /// the operation is cancelled.
  LineRead(Loop& loop, std::weak_ptr<LiveTerminal> view)
      : poll_(new uv_poll_t{}), view_(std::move(view)) {
    uv_poll_init(loop.raw(), poll_, STDIN_FILENO);
    poll_->data = this;
    uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
      static_cast<LineRead*>(poll->data)->read_some();
    });
  }
  ~LineRead() override { stop(); }

  const std::string& line() const { return line_; }
  bool ended() const { return ended_; }

 private:
  void start_cancel() override {
    ended_ = true;
    stop();
    complete();
  }

  void read_some() {
    char buffer[4096];
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    ended_ = got <= 0;
    if (got > 0) line_.append(buffer, static_cast<std::size_t>(got));
    if (!ended_ && line_.size() < kLongestLine && line_.find('\n') == std::string::npos) return;
    stop();
    complete();
  }

  void stop() {
    if (poll_ == nullptr) return;
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    poll_ = nullptr;
    const bool typed = !line_.empty() && line_.back() == '\n';
    if (const auto view = view_.lock()) view->resume(typed);
  }

  uv_poll_t* poll_;
  std::weak_ptr<LiveTerminal> view_;
  std::string line_;
  bool ended_ = false;
};

int push_line(lua_State* L, Operation& operation) {
  const auto& read = static_cast<LineRead&>(operation);
  if (read.ended()) return 0;
  const std::size_t end = read.line().find('\n');
  lua_pushlstring(L, read.line().data(), end == std::string::npos ? read.line().size() : end);
  return 1;
}

/// can_ask() returns true if there is a user at a terminal who can be asked
bool terminal_can_ask(const Services& services) {
  return services.interactive && isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0 &&
         tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/// ask(text) prints a question and returns the line that the user types; no value at the end of the
/// input.
/// Removes control characters from the text. Call can_ask() first.
int terminal_ask(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  Services& services = Services::of(L);
  Pending& pending = Scheduler::of(L).prepare(L, push_line);
  if (const auto view = services.live().lock()) view->suspend();
  if (services.print) services.print(STDERR_FILENO, strip_controls(text));
  pending.operation = std::make_shared<LineRead>(services.loop, services.live());
  return Scheduler::of(L).await(L);
}

/// Reads standard input to its end. Sets `why` if it fails. Also reads the bytes beyond `cap`, so
/// that the program that writes them does not fail.
std::optional<std::string> read_input(std::size_t cap, std::int64_t limit_ms, const char*& why) {
  const Clock& clock = system_clock();
  const std::int64_t deadline = clock.monotonic_ms() + limit_ms;
  std::string text;
  std::uint64_t total = 0;
  char buffer[16384];
  while (true) {
    pollfd ready{STDIN_FILENO, POLLIN, 0};
    const std::int64_t left = deadline - clock.monotonic_ms();
    if (left <= 0) {
      why = "timeout";
      return std::nullopt;
    }
    if (::poll(&ready, 1, static_cast<int>(left)) <= 0) continue;
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) break;
    total += static_cast<std::uint64_t>(got);
    if (total <= cap) text.append(buffer, static_cast<std::size_t>(got));
  }
  why = "limit";
  return total <= cap ? std::optional<std::string>(std::move(text)) : std::nullopt;
}

/// read(cap, ms) returns the whole standard input.
/// Returns nil and "limit" if the input is longer than `cap`, or nil and "timeout" if it does not
/// end within `ms` milliseconds.
int terminal_read(lua_State* L) {
  const auto cap = static_cast<std::size_t>(luaL_checkinteger(L, 1));
  const lua_Integer limit = luaL_checkinteger(L, 2);
  if (!Services::of(L).interactive) return luaL_error(L, "standard input is not the engine's");
  auto& text = push_box<std::optional<std::string>>(L);
  const char* why = nullptr;
  text = LuaState::host_work(L, [&] { return read_input(cap, limit, why); });
  if (!text) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
  }
  lua_pushlstring(L, text->data(), text->size());
  return 1;
}

/// InputLines reads the lines that another program writes to standard input. It skips lines longer
/// than `cap`, so it needs at most `cap` bytes plus the size of one read.
class InputLines {
 public:
  explicit InputLines(std::size_t cap) : cap_(cap) {}

  /// Reads the available bytes. Returns true if take() can return a line, or if the input has
  /// ended.
  bool read_some() {
    char chunk[65536];
    const ssize_t got = ::read(STDIN_FILENO, chunk, sizeof chunk);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return false;
    if (got <= 0) {
      ended_ = true;
    } else {
      buffer_.append(chunk, static_cast<std::size_t>(got));
    }
    return has_line();
  }

  bool has_line() {
    if (end_ != std::string::npos) return true;
    end_ = buffer_.find('\n', scanned_);
    scanned_ = buffer_.size();
    if (end_ == std::string::npos && buffer_.size() > cap_) {
      passed_over_ += buffer_.size();
      buffer_.clear();
      scanned_ = 0;
    }
    return end_ != std::string::npos || ended_;
  }

  /// Returns the next line, or no value at the end of the input. Sets `passed_over` to the line's
  /// size if it is too long. Discards a last line without a newline.
  std::optional<std::string> take(std::size_t& passed_over) {
    if (end_ == std::string::npos) return std::nullopt;
    std::string line = buffer_.substr(0, end_);
    buffer_.erase(0, end_ + 1);
    scanned_ = 0;
    end_ = std::string::npos;
    passed_over = line.size() > cap_ || passed_over_ > 0 ? passed_over_ + line.size() : 0;
    passed_over_ = 0;
    return line;
  }

 private:
  std::size_t cap_;
  std::string buffer_;
  std::size_t scanned_ = 0;  // length of the part of `buffer_` searched for a newline
  std::size_t end_ = std::string::npos;
  std::size_t passed_over_ = 0;
  bool ended_ = false;
};

using InputRef = std::shared_ptr<InputLines>;

/// NextLine waits for the next line on standard input. If standard input is a file, which cannot be
/// polled, reads the line at once.
class NextLine final : public Operation {
 public:
  NextLine(Loop& loop, InputRef input) : input_(std::move(input)) {
    if (input_->has_line()) {
      finish();
      return;
    }
    poll_ = new uv_poll_t{};
    if (uv_poll_init(loop.raw(), poll_, STDIN_FILENO) != 0) {
      delete std::exchange(poll_, nullptr);
      while (!input_->read_some()) {
      }
      finish();
      return;
    }
    poll_->data = this;
    uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
      static_cast<NextLine*>(poll->data)->read_some();
    });
  }
  ~NextLine() override { stop(); }

  const std::optional<std::string>& line() const { return line_; }
  std::size_t passed_over() const { return passed_over_; }

 private:
  void start_cancel() override {
    stop();
    complete();
  }
  void read_some() {
    if (input_->read_some()) finish();
  }
  void finish() {
    line_ = input_->take(passed_over_);
    stop();
    complete();
  }
  void stop() {
    if (poll_ == nullptr) return;
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(poll_, nullptr)),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  }

  InputRef input_;
  uv_poll_t* poll_ = nullptr;
  std::optional<std::string> line_;
  std::size_t passed_over_ = 0;
};

/// input(cap) returns a reader of the lines of standard input. It skips lines longer than `cap`
/// bytes.
int terminal_input(lua_State* L) {
  const auto cap = static_cast<std::size_t>(luaL_checkinteger(L, 1));
  if (!Services::of(L).interactive) return luaL_error(L, "standard input is not the engine's");
  push_box<InputRef>(L) = std::make_shared<InputLines>(cap);
  return 1;
}

int push_next(lua_State* L, Operation& operation) {
  const auto& next = static_cast<NextLine&>(operation);
  if (!next.line()) return 0;
  if (next.passed_over() > 0) {
    lua_pushnil(L);
    lua_pushinteger(L, static_cast<lua_Integer>(next.passed_over()));
    return 2;
  }
  lua_pushlstring(L, next.line()->data(), next.line()->size());
  return 1;
}

/// next(lines) returns the next line; nil and its size if it is too long; or no value at the end
int terminal_next(lua_State* L) {
  InputRef* input = to_box<InputRef>(L, 1);
  if (input == nullptr) luaL_argerror(L, 1, "lines expected");
  return Scheduler::of(L).await_started(
      L, push_next, [&] { return std::make_shared<NextLine>(Services::of(L).loop, *input); });
}

/// page([stream]) returns {columns, rows, colour, unicode} of the terminal on `stream` (1 or 2;
/// default 1).
/// Returns no value if the stream is not a terminal.
int terminal_page(lua_State* L) {
  const int stream =
      luaL_optinteger(L, 1, STDOUT_FILENO) == STDERR_FILENO ? STDERR_FILENO : STDOUT_FILENO;
  const Services& services = Services::of(L);
  winsize size{};
  if (!services.interactive || isatty(stream) == 0) return 0;
  if (ioctl(stream, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) size = {24, 80, 0, 0};
  const auto lookup = [&services](std::string_view name) { return services.env(name); };
  const auto style = LiveTerminal::options_from(lookup);
  const char* term = services.env("TERM");
  const bool is_dumb = term == nullptr || *term == 0 || std::string_view(term) == "dumb";
  lua_createtable(L, 0, 4);
  set_number(L, "columns", size.ws_col);
  set_number(L, "rows", size.ws_row);
  set_flag(L, "colour", style.colour && !is_dumb);
  set_flag(L, "unicode", style.unicode);
  return 1;
}

/// TerminalProgram is an interactive program that uses the terminal, such as an editor.
class TerminalProgram final : public Operation {
 public:
  TerminalProgram(Services& services, std::vector<std::string> argv)
      : argv_(std::move(argv)), view_(services.live()) {
    const auto pointers = [](std::vector<std::string>& texts) {
      std::vector<char*> list;
      for (std::string& text : texts) list.push_back(text.data());
      list.push_back(nullptr);
      return list;
    };
    std::vector<std::string> environment = services.environment;
    auto words = pointers(argv_), variables = pointers(environment);
    uv_stdio_container_t streams[3];
    for (int fd = 0; fd < 3; ++fd) {
      streams[fd].flags = UV_INHERIT_FD;
      streams[fd].data.fd = fd;
    }
    uv_process_options_t options{};
    options.file = words.front();
    options.args = words.data();
    options.env = variables.data();
    options.stdio = streams;
    options.stdio_count = 3;
    options.exit_cb = [](uv_process_t* process, std::int64_t code, int signal) {
      auto* self = static_cast<TerminalProgram*>(process->data);
      self->code_ = signal != 0 ? 128 + signal : static_cast<int>(code);
      self->end();
    };
    process_->data = this;
    if (const auto view = view_.lock()) view->suspend();
    failure_ = -uv_spawn(services.loop.raw(), process_, &options);
    if (failure_ != 0) end();
  }
  ~TerminalProgram() override { drop(); }

  int code() const { return code_; }
  /// Returns 0, or the errno if the program could not be started.
  int failure() const { return failure_; }
  const std::string& name() const { return argv_[0]; }

 private:
  void start_cancel() override {}  // only the user can end the program
  void end() {
    drop();
    complete();
  }
  void drop() {
    if (process_ == nullptr) return;
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(process_, nullptr)),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_process_t*>(handle); });
    if (const auto view = view_.lock()) view->resume(false);
  }

  std::vector<std::string> argv_;
  std::weak_ptr<LiveTerminal> view_;
  uv_process_t* process_ = new uv_process_t{};
  int code_ = 0;
  int failure_ = 0;
};

int push_code(lua_State* L, Operation& operation) {
  const auto& program = static_cast<TerminalProgram&>(operation);
  if (program.failure() != 0) {
    auto& failure = push_box<Error>(L);
    failure = Error::from_errno(program.failure(), "start", program.name());
    return raise_error(L, failure);
  }
  lua_pushinteger(L, program.code());
  return 1;
}

/// run{word, …} runs an interactive program on the terminal and returns its exit code, or 128 + the
/// signal.
/// Raises an error if the program cannot be started.
int terminal_run(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argcheck(L, lua_rawlen(L, 1) > 0, 1, "a program expected");
  return Scheduler::of(L).await_started(L, push_code, [L] {
    return std::make_shared<TerminalProgram>(Services::of(L), read_texts(L, 1));
  });
}

}  // namespace

const luaL_Reg kCoreTerminal[] = {
    {"read", guard<terminal_read>},         {"run", guard<terminal_run>},
    {"can_ask", raising<terminal_can_ask>}, {"ask", guard<terminal_ask>},
    {"page", guard<terminal_page>},         {"input", guard<terminal_input>},
    {"next", guard<terminal_next>},         {nullptr, nullptr},
};

}  // namespace moonlet
