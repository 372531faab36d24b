#include "moonlet/engine.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <optional>
#include <system_error>
#include <utility>

#include "host/driver/run_driver.h"
#include "host/process/child/subreaper.h"
#include "host/telemetry/live/terminal.h"
#include "lua/engine/script.h"
#include "lua/sandbox/sandbox.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"

extern char** environ;

namespace moonlet {

namespace {

bool is_executable(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

std::string absolute(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) == nullptr ? std::string() : std::string(resolved);
}

/// The moonlet executable: beside the running program (which it often is itself), or in PATH.
std::string find_moonlet() {
  char self[PATH_MAX];
  std::size_t size = sizeof self;
  if (uv_exepath(self, &size) == 0) {
    std::string program(self, size);
    const std::string folder = program.substr(0, program.rfind('/'));
    if (program.substr(folder.size() + 1) == "moonlet") return program;
    if (is_executable(folder + "/moonlet")) return folder + "/moonlet";
  }
  const char* path = getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    std::string candidate = std::string(rest.substr(0, colon)) + "/moonlet";
    if (candidate.size() > 8 && is_executable(candidate)) return absolute(candidate);
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  }
  return {};
}

/// Completes the name of the program that is the keeper of every run; kInvalid when there is none.
Result<void> set_keeper(std::string& program) {
  const bool is_named = !program.empty();
  if (!is_named) program = find_moonlet();
  if (is_executable(program)) return {};
  Error error;
  error.kind = ErrorKind::kInvalid;
  error.message = is_named ? "cannot run the moonlet program: " + std::string(strerror(errno))
                           : "the moonlet program is neither beside this program nor in PATH";
  error.hint = "install moonlet, or name its program in EngineOptions::moonlet_program";
  error.at = program;
  return error;
}

int push_main(lua_State* L) {
  push_module_environment(L, true);
  lua_getfield(L, -1, "require");
  lua_pushliteral(L, "moonlet.engine.cli.main");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, static_cast<const char*>(lua_touserdata(L, 1)));
  return 1;
}

/// Pushes a function of the command line module. False when it cannot be loaded (a broken build).
bool push_entry(lua_State* L, const char* function) {
  lua_pushcfunction(L, push_main);
  lua_pushlightuserdata(L, const_cast<char*>(function));
  return lua_pcall(L, 1, 1, 0) == LUA_OK;
}

void push_words(lua_State* L, const std::vector<std::string>& words) {
  lua_createtable(L, static_cast<int>(words.size()), 0);
  lua_Integer i = 0;
  for (const std::string& word : words) {
    lua_pushlstring(L, word.data(), word.size());
    lua_rawseti(L, -2, ++i);
  }
}

}  // namespace

class Engine::Impl {
 public:
  explicit Impl(EngineOptions options) : options_(std::move(options)), loop_(clock_) {
    failure_ = loop_.failure();
    if (failure_ == 0) failure_ = -uv_async_init(loop_.raw(), &wake_, [](uv_async_t*) {});
    if (failure_ == 0) uv_unref(reinterpret_cast<uv_handle_t*>(&wake_));
  }
  ~Impl() {
    if (failure_ == 0) uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
  }

  /// 0, or the errno for which it cannot work; then no other method may be called.
  int failure() const { return failure_; }

  Result<Outcome> command(const std::vector<std::string>& words);

  void cancel() {
    cancel_asked_.store(true, std::memory_order_release);
    uv_async_send(&wake_);
  }

  void continued() { continued_.store(true, std::memory_order_release); }

 private:
  Result<Outcome> drive(LuaState& state, Scheduler& scheduler, const std::shared_ptr<Task>& task);
  void trim_when_quiet(LuaState& state);
  void trim(LuaState& state);
  Result<Outcome> end_without_it(Services& services, LuaState& state, const Error& why);
  Result<Outcome> read_outcome(lua_State* L, const Task& task, const Scheduler& scheduler);

  EngineOptions options_;
  SystemClock clock_;
  Loop loop_;
  uv_async_t wake_{};
  int failure_ = 0;
  std::atomic<bool> cancel_asked_{false};
  std::atomic<bool> continued_{false};
  std::optional<Loop::TimerId> trim_timer_;
  std::int64_t active_ms_ = 0;     // when the command did something last
  std::size_t trimmed_bytes_ = 0;  // Lua's memory after the last trim
};

// Memory is given back once a command has waited for so long, and only if Lua's memory has grown.
constexpr std::int64_t kQuietMs = 100;
constexpr std::size_t kGrownBytes = std::size_t{512} << 10;
// A larger heap takes so long to collect that a resume would be slower.
constexpr std::size_t kMostTrimmedBytes = std::size_t{16} << 20;

void Engine::Impl::trim_when_quiet(LuaState& state) {
  active_ms_ = clock_.monotonic_ms();
  const std::size_t used = state.memory_used();
  if (trim_timer_ || used < trimmed_bytes_ + kGrownBytes || used > kMostTrimmedBytes) return;
  trim_timer_ = loop_.after(kQuietMs, [this, &state] { trim(state); });
}

void Engine::Impl::trim(LuaState& state) {
  trim_timer_.reset();
  if (clock_.monotonic_ms() - active_ms_ < kQuietMs) return;
  lua_gc(state.main(), LUA_GCCOLLECT);
  if (options_.own_process) trim_process();
  trimmed_bytes_ = state.memory_used();
}

Result<Outcome> Engine::Impl::read_outcome(lua_State* L, const Task& task,
                                           const Scheduler& scheduler) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, task.result_ref());
  if (task.outcome() != Task::Outcome::kReturned) {
    lua_rawgeti(L, -1, 1);
    Error error = read_error(L, -1);
    lua_pop(L, 2);
    if (!scheduler.last_traceback().empty()) error.hint = scheduler.last_traceback();
    return error;
  }
  Outcome outcome;
  lua_rawgeti(L, -1, 1);
  outcome.exit_code = static_cast<int>(lua_tointeger(L, -1));
  lua_rawgeti(L, -2, 2);
  std::size_t size = 0;
  if (const char* text = lua_tolstring(L, -1, &size)) outcome.envelope.assign(text, size);
  lua_pop(L, 3);
  return outcome;
}

/// Why and where Lua was killed.
Error kill_error(const LuaState& state) {
  Error error;
  error.kind = state.kill_kind();
  error.message = state.killed();
  error.at = state.killed_at();
  error.hint = state.kill_hint();
  return error;
}

Result<Outcome> Engine::Impl::drive(LuaState& state, Scheduler& scheduler,
                                    const std::shared_ptr<Task>& task) {
  scheduler.pump();
  trimmed_bytes_ = 0;
  bool cancelled = false;
  while (!task->done() && !scheduler.killed()) {
    if (!cancelled && scheduler.hear_end()) {
      cancelled = true;
      const auto view = Services::of(state.main()).live().lock();
      if (view) view->say_stopping();
      scheduler.pump();
      continue;
    }
    // The wake-up handle alone does not keep the loop: without pending events no task can go on.
    const bool to_be_told = !cancelled && cancel_asked_.load();
    trim_when_quiet(state);
    if (!loop_.run_once() && !to_be_told && !scheduler.has_ready()) {
      Error error;
      error.message = "the script waits for something that can never happen";
      error.hint = "every task of it waits for another one";
      return error;
    }
    scheduler.pump();
  }
  if (scheduler.killed()) return kill_error(state);
  return read_outcome(state.main(), *task, scheduler);
}

/// The host's last words about a run whose Lua was killed, or produced no result. Its coroutines
/// are never resumed.
Result<Outcome> Engine::Impl::end_without_it(Services& services, LuaState& state,
                                             const Error& why) {
  if (services.run) services.run->end_children();
  state.revive();
  Scheduler scheduler(state, loop_);
  lua_State* L = state.main();
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT);
  if (!push_entry(L, "killed")) return read_error(L, -1);
  const std::string_view kind = to_string(why.kind);
  for (std::string_view word : {std::string_view(why.message), std::string_view(why.at), kind,
                                std::string_view(why.hint)}) {
    lua_pushlstring(L, word.data(), word.size());
  }
  auto task = scheduler.start_main(4);
  cancel_asked_.store(false);  // the cancel has happened; this prints the last words
  return drive(state, scheduler, task);
}

Result<Outcome> Engine::Impl::command(const std::vector<std::string>& words) {
  cancel_asked_.store(false);
  LuaState state({options_.lua_memory_bytes, options_.lua_run_ms, options_.interrupt_signal,
                  &cancel_asked_, options_.on_stuck});
  Services services(clock_, loop_, options_.environment);
  services.working_directory = options_.directory;
  services.keeper_program = options_.moonlet_program;
  services.print = options_.print;
  services.request_cancel = [this] { cancel(); };
  services.take_continued = [this] { return continued_.exchange(false); };
  services.on_detached = options_.on_detached;
  services.interactive = options_.interactive;
  lua_State* L = state.main();
  Services::set(L, services);
  open_sandbox(L);
  open_modules(L);
  Result<Outcome> outcome = Error{};
  bool ended = false;
  {
    Scheduler scheduler(state, loop_);
    scheduler.end_asked = [&] {
      if (services.run) services.run->look_for_cancel();
      return cancel_asked_.load(std::memory_order_acquire);
    };
    if (!push_entry(L, "main")) return read_error(L, -1);
    push_words(L, words);
    auto task = scheduler.start_main(1);
    outcome = drive(state, scheduler, task);
    ended = task->done() && !state.is_killed();
  }
  if (!ended) {
    const Error why = state.is_killed() ? kill_error(state) : outcome.error();
    outcome = end_without_it(services, state, why);
  }
  if (trim_timer_) loop_.cancel(*std::exchange(trim_timer_, std::nullopt));
  services.run.reset();
  return outcome;
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<Engine> Engine::open(EngineOptions options) {
  if (options.environment.empty()) {
    for (char** entry = environ; *entry != nullptr; ++entry) options.environment.push_back(*entry);
  }
  const std::string asked = options.directory.empty() ? "." : options.directory;
  options.directory = absolute(asked);
  if (options.directory.empty()) {
    Error error = Error::from_errno(errno, "open the folder", asked);
    if (asked == ".") error.hint = "the working directory was removed: change to another one";
    return error;
  }
  if (auto found = set_keeper(options.moonlet_program); !found) return found.error();
  try {
    auto impl = std::make_unique<Impl>(std::move(options));
    if (const int failure = impl->failure(); failure != 0) {
      return Error::from_errno(failure, "open an event loop");
    }
    return Engine(std::move(impl));
  } catch (const std::exception& e) {
    Error error;
    error.message = std::string("cannot open an engine: ") + e.what();
    return error;
  }
}

Result<Outcome> Engine::command(const std::vector<std::string>& words) {
  try {
    return impl_->command(words);
  } catch (const std::system_error& e) {
    Error error = Error::from_errno(e.code().value(), "start a thread of the host");
    error.hint = "raise its limits: `ulimit -u`, `ulimit -v`, `ulimit -d`";
    return error;
  } catch (const std::exception& e) {
    Error error;
    error.message = std::string("the engine failed: ") + e.what();
    return error;
  }
}

Result<Outcome> Engine::run(const std::string& preset, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"run", preset};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return command(words);
}

void Engine::cancel() { impl_->cancel(); }

void Engine::continued() { impl_->continued(); }

void Engine::on_interrupt(int signal) { LuaState::on_signal(signal); }

}  // namespace moonlet
