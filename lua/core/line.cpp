// core.line reads the lines that a user types at a prompt, and handles the user's interrupts (^C).
// Without EngineOptions::interactive, the engine may neither read stdin nor handle SIGINT.
#include <signal.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "host/telemetry/live/line_editor.h"
#include "lua/core/core.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"

namespace moonlet {

/// LinePrompt owns the line editor of a prompt and the handles that wake the event loop.
class LinePrompt : public std::enable_shared_from_this<LinePrompt> {
 public:
  LinePrompt(Services& services, LuaState& state, std::string history)
      : services_(services), state_(state) {
    const auto make = [this](auto* handle) {
      handle->data = this;
      uv_unref(reinterpret_cast<uv_handle_t*>(handle));
      return handle;
    };
    uv_loop_t* loop = services.loop.raw();
    wake_ = new uv_async_t{};
    uv_async_init(loop, wake_,
                  [](uv_async_t* wake) { static_cast<LinePrompt*>(wake->data)->hear_editor(); });
    make(wake_);
    interrupt_ = new uv_async_t{};
    uv_async_init(loop, interrupt_,
                  [](uv_async_t* wake) { static_cast<LinePrompt*>(wake->data)->hear_interrupt(); });
    make(interrupt_);
    resized_ = new uv_signal_t{};
    uv_signal_init(loop, resized_);
    make(resized_);

    LineEditor::Options options;
    options.prompts = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
    const char* terminal = services.env("TERM");
    const std::string_view term = terminal == nullptr ? "" : terminal;
    options.edits = options.prompts && !term.empty() && term != "dumb";
    options.history = std::move(history);
    options.on_event = [wake = wake_] { uv_async_send(wake); };
    edits_ = options.edits;
    prompts_ = options.prompts;
    editor_ = std::make_unique<LineEditor>(std::move(options));

    // Handle SIGINT with sigaction(). libuv delivers signals in the event loop, which does not run
    // while Lua computes.
    state_.interrupt_first(true);
    current.store(this);
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before_);
    uv_signal_start(
        resized_,
        [](uv_signal_t* signal, int) { static_cast<LinePrompt*>(signal->data)->editor_->resize(); },
        SIGWINCH);
    services.close_prompt = [this] { close(); };
    print_itself_ = services.print;
    services.print = [this](int stream, std::string_view text) {
      const bool on_terminal = isatty(stream) != 0;
      if (!on_terminal || !editor_->print(text)) print_itself_(stream, text);
    };
  }

  ~LinePrompt() { close(); }

  /// Stops reading lines and restores the signal handler. The destructor of `Services` calls this,
  /// because the Lua object may outlive the services.
  void close() {
    if (!editor_) return;
    editor_.reset();
    services_.close_prompt = nullptr;
    services_.print = print_itself_;
    const auto drop = [](auto* handle) {
      uv_close(reinterpret_cast<uv_handle_t*>(handle), [](uv_handle_t* closed) {
        delete reinterpret_cast<std::remove_pointer_t<decltype(handle)>*>(closed);
      });
    };
    sigaction(SIGINT, &before_, nullptr);
    current.store(nullptr);
    state_.interrupt_first(false);
    uv_signal_stop(resized_);
    drop(wake_);
    drop(interrupt_);
    drop(resized_);
  }

  bool open() const { return editor_ != nullptr; }
  LineEditor& editor() { return *editor_; }
  bool edits() const { return edits_; }
  bool prompts() const { return prompts_; }

  /// Wait waits for the editor's next event or, if `for_interrupt` is true, for an interrupt. At
  /// most one Wait of each kind may exist at a time.
  class Wait final : public Operation {
   public:
    Wait(std::shared_ptr<LinePrompt> prompt, bool for_interrupt)
        : prompt_(std::move(prompt)), for_interrupt_(for_interrupt) {
      slot() = this;
      if (!for_interrupt) uv_ref(reinterpret_cast<uv_handle_t*>(prompt_->wake_));
    }
    ~Wait() override { leave(); }
    void end(std::optional<LineEvent> event) {
      event_ = std::move(event);
      leave();
      complete();
    }
    const std::optional<LineEvent>& event() const { return event_; }
    /// A task that only waits for an interrupt must not keep the run from parking.
    bool is_passive() const override { return for_interrupt_; }

   private:
    void start_cancel() override {
      if (for_interrupt_) return end(std::nullopt);
      if (prompt_->open()) prompt_->editor().cancel();
    }
    Wait*& slot() { return for_interrupt_ ? prompt_->interrupt_wait_ : prompt_->line_wait_; }
    void leave() {
      if (slot() != this) return;
      slot() = nullptr;
      if (!for_interrupt_ && prompt_->open())
        uv_unref(reinterpret_cast<uv_handle_t*>(prompt_->wake_));
    }

    std::shared_ptr<LinePrompt> prompt_;
    bool for_interrupt_;
    std::optional<LineEvent> event_;
  };

  /// Completes the wait if the editor has an event.
  void hear_editor() {
    if (line_wait_ == nullptr) return;
    if (auto event = editor_->take()) line_wait_->end(std::move(event));
  }

 private:
  static void on_interrupt(int) {
    LinePrompt* prompt = current.load();
    if (prompt == nullptr) return;
    prompt->state_.ask_interrupt();
    uv_async_send(prompt->interrupt_);
  }

  /// Reports an interrupt to the task that waits for one, unless the interrupt has already raised
  /// an error in a script that was running.
  void hear_interrupt() {
    if (state_.take_interrupted()) return;
    if (interrupt_wait_ != nullptr) interrupt_wait_->end(LineEvent{});
  }

  static inline std::atomic<LinePrompt*> current{nullptr};  // on_interrupt() reads this

  Services& services_;
  LuaState& state_;
  std::function<void(int, std::string_view)> print_itself_;
  std::unique_ptr<LineEditor> editor_;
  uv_async_t* wake_ = nullptr;
  uv_async_t* interrupt_ = nullptr;
  uv_signal_t* resized_ = nullptr;
  struct sigaction before_ {};
  Wait* line_wait_ = nullptr;
  Wait* interrupt_wait_ = nullptr;
  bool edits_ = false, prompts_ = false;
};

namespace {

using PromptRef = std::shared_ptr<LinePrompt>;

PromptRef& check_prompt(lua_State* L) {
  auto* box = to_box<PromptRef>(L, 1);
  if (box == nullptr || !(*box)->open()) luaL_argerror(L, 1, "an open prompt expected");
  return *box;
}

/// open(history) starts to read lines and to handle interrupts.
/// Returns the prompt and two flags: whether a line editor is used, and whether the text of the
/// prompt is printed. Returns no value if the engine may not read standard input.
int line_open(lua_State* L) {
  const std::string_view history = check_text(L, 1);
  Services& services = Services::of(L);
  if (!services.interactive) return 0;
  auto& prompt = push_box<PromptRef>(L);
  bool made = true;
  try {
    prompt = std::make_shared<LinePrompt>(services, LuaState::of(L), std::string(history));
  } catch (const std::system_error&) {
    made = false;
  }
  if (!made) {
    return raise(L, ErrorKind::kFailed, "cannot start the thread that reads the prompt",
                 "raise its limits: `ulimit -u`, `ulimit -v`");
  }
  lua_pushboolean(L, prompt->edits());
  lua_pushboolean(L, prompt->prompts());
  return 3;
}

int push_event(lua_State* L, Operation& operation) {
  const auto& event = static_cast<LinePrompt::Wait&>(operation).event();
  if (!event) return 0;
  constexpr const char* kNames[] = {"line", "end", "cancelled", "complete"};
  lua_pushstring(L, kNames[static_cast<int>(event->kind)]);
  lua_pushlstring(L, event->text.data(), event->text.size());
  lua_pushinteger(L, static_cast<lua_Integer>(event->cursor));
  return 3;
}

int await_event(lua_State* L, bool for_interrupt) {
  Pending& pending = Scheduler::of(L).prepare(L, push_event);
  LinePrompt& prompt = *check_prompt(L);
  pending.operation = std::make_shared<LinePrompt::Wait>(check_prompt(L), for_interrupt);
  if (!for_interrupt) prompt.hear_editor();
  return Scheduler::of(L).await(L);
}

/// read(prompt, text, initial) prints `text` and reads a line that begins with `initial`.
/// Returns "line", "end", "cancelled" or "complete", the text, and the cursor's byte offset.
int line_read(lua_State* L) {
  PromptRef& prompt = check_prompt(L);
  const std::string_view text = check_text(L, 2);
  const std::string_view initial = lua_isnoneornil(L, 3) ? "" : check_text(L, 3);
  prompt->editor().read(std::string(text), std::string(initial));
  return await_event(L, false);
}

/// complete(prompt, from, words) answers the event "complete" and waits for the next event like
/// read().
/// `words` are the possible completions of the word that starts at byte `from`, counted from 0.
int line_complete(lua_State* L) {
  PromptRef& prompt = check_prompt(L);
  const lua_Integer from = luaL_checkinteger(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  prompt->editor().complete(from < 0 ? 0 : static_cast<std::size_t>(from), read_texts(L, 3));
  return await_event(L, false);
}

int line_interrupted(lua_State* L) { return await_event(L, true); }

/// cancel(prompt [, mark]): cancels the current line and prints `mark` after the typed text
int line_cancel(lua_State* L) {
  std::size_t size = 0;
  const char* mark = luaL_optlstring(L, 2, "", &size);
  check_prompt(L)->editor().cancel({mark, size});
  return 0;
}

int line_remember(lua_State* L) {
  PromptRef& prompt = check_prompt(L);
  const std::string_view line = check_text(L, 2);
  prompt->editor().remember(std::string(line));
  return 0;
}

/// close(prompt): stops reading and restores the previous SIGINT handler
int line_close(lua_State* L) {
  check_prompt(L)->close();
  return 0;
}

}  // namespace

const luaL_Reg kCoreLine[] = {
    {"open", guard<line_open>},         {"read", guard<line_read>},
    {"complete", guard<line_complete>}, {"interrupted", guard<line_interrupted>},
    {"cancel", guard<line_cancel>},     {"remember", guard<line_remember>},
    {"close", guard<line_close>},       {nullptr, nullptr},
};

}  // namespace moonlet
