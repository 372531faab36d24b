#include "lua/engine/command.h"

#include <exception>
#include <system_error>
#include <utility>

#include "host/base/json.h"
#include "host/driver/run_driver.h"
#include "host/process/child/subreaper.h"
#include "host/telemetry/live/terminal.h"
#include "lua/engine/script.h"
#include "lua/sandbox/sandbox.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

// If no task has run for kQuietMs and Lua's memory has grown by kGrownBytes, collect garbage.
constexpr std::int64_t kQuietMs = 100;
constexpr std::size_t kGrownBytes = std::size_t{512} << 10;
// Do not collect a larger heap while idle, because the command could be delayed when its wait ends.
constexpr std::size_t kMostTrimmedBytes = std::size_t{16} << 20;

int push_main(lua_State* L) {
  push_module_environment(L, true);
  lua_getfield(L, -1, "require");
  lua_pushliteral(L, "moonlet.engine.cli.main");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, static_cast<const char*>(lua_touserdata(L, 1)));
  return 1;
}

/// Pushes a function of the module moonlet.engine.cli.main. Returns false and pushes the error if
/// the module cannot be loaded.
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

/// Pushes the value of a JSON text, which Engine::start() has validated. Pushes an empty table if
/// the text is empty.
void push_json(lua_State* L, const std::string& text) {
  auto& value = push_box<nlohmann::json>(L);
  value = nlohmann::json::object();
  if (auto parsed = parse_json(text); parsed) value = std::move(*parsed);
  push_value(L, value);
  lua_remove(L, -2);
}

Error of_exception(const std::exception& e) {
  Error error;
  if (const auto* system = dynamic_cast<const std::system_error*>(&e)) {
    error = Error::from_errno(system->code().value(), "start a thread of the host");
    error.hint = "raise its limits: `ulimit -u`, `ulimit -v`, `ulimit -d`";
    return error;
  }
  error.message = std::string("the engine failed: ") + e.what();
  return error;
}

}  // namespace

Command::Command(Host host, Request request, std::shared_ptr<RunState> state)
    : host_(std::move(host)), request_(std::move(request)), state_(std::move(state)) {}

Command::~Command() {
  if (phase_ != Phase::kDone) {
    end(Error{ErrorKind::kLost,
              "the engine was closed before the run ended",
              "resume it: its record says what was done",
              {}});
  }
}

bool Command::is_ready() const {
  if (phase_ == Phase::kNew) return true;
  const bool to_hear = !cancel_heard_ && state_->cancel_asked.load();
  return to_hear || (scheduler_ && scheduler_->has_ready());
}

bool Command::step() {
  try {
    if (phase_ == Phase::kNew && !begin()) return true;
    return step_scheduler();
  } catch (const std::exception& e) {
    end(of_exception(e));
    return true;
  }
}

bool Command::begin() {
  const EngineOptions& options = host_.options;
  lua_ = std::make_unique<LuaState>(LuaLimits{options.lua_memory_bytes, options.lua_run_ms,
                                              options.interrupt_signal, &state_->cancel_asked,
                                              options.on_stuck});
  services_ = std::make_unique<Services>(host_.clock, host_.loop, *options.environment);
  Services& services = *services_;
  services.working_directory = options.directory;
  services.keeper_program = options.moonlet_program;
  services.config = options.config;
  services.host = &host_.functions;
  services.request_cancel = [state = state_] { state->cancel(); };
  services.take_continued = [this] { return host_.continued.exchange(false); };
  if (request_.verb == "command") {
    services.print = options.print;
    services.on_detached = options.on_detached;
    services.interactive = options.interactive;
  }
  sink_ = std::make_unique<CallbackSink>([this](const Event& event) { see(event); });
  services.bus->add(*sink_);
  lua_State* L = lua_->main();
  Services::set(L, services);
  open_sandbox(L);
  open_modules(L);
  scheduler_ = std::make_unique<Scheduler>(*lua_, host_.loop);
  scheduler_->end_asked = [this] {
    if (services_->run) services_->run->look_for_cancel();
    return state_->cancel_asked.load(std::memory_order_acquire);
  };
  phase_ = Phase::kRuns;
  const bool is_command = request_.verb == "command";
  if (!push_entry(L, is_command ? "main" : "start")) {
    end(read_error(L, -1));
    return false;
  }
  if (is_command) {
    push_words(L, request_.words);
    task_ = scheduler_->start_main(1);
    return true;
  }
  lua_pushlstring(L, request_.verb.data(), request_.verb.size());
  lua_pushlstring(L, request_.target.data(), request_.target.size());
  push_json(L, request_.arguments);
  push_json(L, request_.options);
  task_ = scheduler_->start_main(4);
  return true;
}

bool Command::step_scheduler() {
  scheduler_->pump();
  if (!task_->done() && !scheduler_->killed() && !cancel_heard_ && scheduler_->hear_end()) {
    cancel_heard_ = true;
    if (const auto view = services_->live().lock()) view->say_stopping();
    scheduler_->pump();
  }
  if (scheduler_->killed()) {
    Error error = lua_->kill_error();
    error.at = lua_->killed_at();
    fail(error);
  } else if (task_->done()) {
    end(read_outcome());
  } else {
    trim_when_quiet();
  }
  return phase_ == Phase::kDone;
}

void Command::give_up() {
  try {
    fail({ErrorKind::kFailed,
          "the script waits for something that can never happen",
          "each of its tasks waits for another task",
          {}});
  } catch (const std::exception& e) {
    end(of_exception(e));
  }
}

void Command::fail(const Error& why) {
  if (phase_ == Phase::kLastWords) {
    end(why);
  } else {
    begin_last_words(why);
  }
}

/// Starts a new scheduler, in which Lua code reports how the run has ended. This is needed if Lua
/// was killed or can return no result. The old coroutines never continue.
void Command::begin_last_words(const Error& why) {
  phase_ = Phase::kLastWords;
  task_.reset();
  scheduler_.reset();
  if (services_->run) services_->run->end_children();
  lua_->revive();
  scheduler_ = std::make_unique<Scheduler>(*lua_, host_.loop);
  lua_State* L = lua_->main();
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT);
  if (!push_entry(L, "killed")) return end(read_error(L, -1));
  const std::string_view kind = to_string(why.kind);
  for (std::string_view word : {std::string_view(why.message), std::string_view(why.at), kind,
                                std::string_view(why.hint)}) {
    lua_pushlstring(L, word.data(), word.size());
  }
  task_ = scheduler_->start_main(4);
  state_->cancel_asked.store(false);  // a cancelled run must still be reported
  cancel_heard_ = false;
  trimmed_bytes_ = 0;
}

Result<Outcome> Command::read_outcome() {
  lua_State* L = lua_->main();
  lua_rawgeti(L, LUA_REGISTRYINDEX, task_->result_ref());
  if (task_->outcome() != Task::Outcome::kReturned) {
    lua_rawgeti(L, -1, 1);
    Error error = read_error(L, -1);
    lua_pop(L, 2);
    if (!scheduler_->last_traceback().empty()) error.hint = scheduler_->last_traceback();
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

void Command::end(Result<Outcome> outcome) {
  phase_ = Phase::kDone;
  if (trim_timer_) host_.loop.cancel(*std::exchange(trim_timer_, std::nullopt));
  task_.reset();
  scheduler_.reset();
  if (services_) {
    services_->run.reset();
    if (sink_) services_->bus->remove(*sink_);
    services_->host = nullptr;
  }
  services_.reset();
  lua_.reset();
  sink_.reset();
  state_->outcome = std::move(outcome);
  state_->done.store(true, std::memory_order_release);
}

void Command::see(const Event& event) {
  if (!event.run.empty()) {
    const std::lock_guard lock(state_->mutex);
    if (state_->id != event.run) state_->id = event.run;
  }
  if (event.type == EventType::kRunStarted || event.type == EventType::kRunResumed) {
    if (const auto dir = event.fields.find("dir"); dir != event.fields.end() && dir->is_string()) {
      state_->sidecar = dir->get<std::string>();
    }
  }
  if (host_.on_event) host_.on_event(event);
}

void Command::trim_when_quiet() {
  active_ms_ = host_.clock.monotonic_ms();
  const std::size_t used = lua_->memory_used();
  if (trim_timer_ || used < trimmed_bytes_ + kGrownBytes || used > kMostTrimmedBytes) return;
  trim_timer_ = host_.loop.after(kQuietMs, [this] { trim(); });
}

void Command::trim() {
  trim_timer_.reset();
  if (host_.clock.monotonic_ms() - active_ms_ < kQuietMs) return;
  lua_gc(lua_->main(), LUA_GCCOLLECT);
  if (host_.options.own_process) trim_process();
  trimmed_bytes_ = lua_->memory_used();
}

}  // namespace moonlet
