// core.terminal: asking the person at the terminal one question. Only a program that said so
// (EngineOptions::interactive) lets the engine read its standard input.
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <memory>
#include <string>

#include "host/telemetry/live/terminal.h"
#include "lua/core/core.h"
#include "lua/vm/guard.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"

namespace moonlet {

namespace {

constexpr std::size_t kLongestLine = 64 * 1024;

/// One line from the terminal on descriptor 0. The terminal itself edits the line, so readable
/// means that a whole one is there.
class LineRead final : public Operation {
 public:
  /// `view` stays away until the line is there.
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

/// can_ask() -> bool: whether somebody sits at a terminal and may be asked
int terminal_can_ask(lua_State* L) {
  lua_pushboolean(L, Services::of(L).interactive && isatty(STDIN_FILENO) != 0 &&
                         isatty(STDERR_FILENO) != 0 && tcgetpgrp(STDIN_FILENO) == getpgrp());
  return 1;
}

/// ask(text) -> the line that was typed; nil at the end of the input. Ask can_ask() first.
int terminal_ask(lua_State* L) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(L, 1, &size);
  Services& services = Services::of(L);
  Pending& pending = Scheduler::of(L).prepare(L, push_line);
  if (const auto view = services.live().lock()) view->suspend();
  if (services.print) services.print(STDERR_FILENO, {text, size});
  pending.operation = std::make_shared<LineRead>(services.loop, services.live());
  return Scheduler::of(L).await(L);
}

constexpr luaL_Reg kFunctions[] = {
    {"can_ask", guard<terminal_can_ask>},
    {"ask", guard<terminal_ask>},
    {nullptr, nullptr},
};

}  // namespace

int luaopen_core_terminal(lua_State* L) {
  luaL_newlib(L, kFunctions);
  return 1;
}

}  // namespace moonlet
