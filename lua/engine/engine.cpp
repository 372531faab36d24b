#include "moonlet/engine.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "host/base/json.h"
#include "host/base/text.h"
#include "host/telemetry/live/echo.h"
#include "lua/engine/command.h"
#include "lua/engine/keeper_entry.h"
#include "lua/engine/native.h"
#include "lua/engine/wake.h"
#include "lua/vm/state.h"

extern char** environ;

namespace moonlet {

namespace {

constexpr std::size_t kLongestLine = 2000;

Error invalid(std::string message, std::string hint = {}) {
  return Error{ErrorKind::kInvalid, std::move(message), std::move(hint), {}};
}

Result<void> check_json(const std::string& text, std::string_view noun, bool may_be_list) {
  if (text.empty()) return {};
  auto value = parse_json(text);
  if (!value) {
    return invalid("the " + std::string(noun) + " are not JSON: " + value.error().message,
                   value.error().at);
  }
  if (value->is_object() || (may_be_list && value->is_array())) return {};
  return invalid("the " + std::string(noun) + " are JSON, but not an object",
                 may_be_list ? "give an object by name, or a list for a script" : "");
}

}  // namespace

Result<void> Owner::check() const {
  if (is_forked()) {
    return invalid("this process was forked from the one that opened the engine",
                   "open an engine of its own in the child");
  }
  if (std::this_thread::get_id() != thread) {
    return invalid("the engine belongs to another thread",
                   "other threads may cancel runs and answer replies");
  }
  return {};
}

class Engine::Impl : public std::enable_shared_from_this<Engine::Impl> {
 public:
  explicit Impl(EngineOptions options)
      : options_(std::move(options)),
        wake_(std::make_shared<Wake>()),
        loop_(clock_),
        natives_(loop_, wake_, [this](const std::string& text) { report(text); }) {
    failure_ = wake_->failure() != 0 ? wake_->failure() : loop_.failure();
    if (failure_ == 0) failure_ = watch_.start(loop_, *wake_);
  }

  /// Returns 0, or an errno if the construction failed. After a failure, only destroy the object.
  int failure() const { return failure_; }

  /// Fails on a thread other than the engine's, and in a forked child. If `reentrant` is false,
  /// also fails inside a callback.
  Result<void> check(bool reentrant) const {
    if (auto ours = owner_.check(); !ours) return ours;
    if (!reentrant && (in_turn_ || natives_.is_calling())) {
      return invalid("a callback may not drive the engine", "return, and let the caller drive it");
    }
    return {};
  }
  bool is_forked() const { return owner_.is_forked(); }

  Result<Run> start(Request request) {
    if (auto ours = check(true); !ours) return ours.error();
    if (request.verb != "command") {
      if (request.target.empty()) return invalid("the request names no preset");
      if (auto ok = check_json(request.arguments, "arguments", true); !ok) return ok.error();
      if (auto ok = check_json(request.options, "options", false); !ok) return ok.error();
    }
    auto state = std::make_shared<RunState>();
    state->wake = wake_;
    state->engine = weak_from_this();
    Command::Host host{loop_,    clock_,     options_,
                       natives_, continued_, [this](const Event& event) { tell(event); }};
    commands_.push_back(std::make_unique<Command>(std::move(host), std::move(request), state));
    return Run(std::move(state));
  }

  /// Calls step() of all commands and handles events. If `wait` is true and no command is ready,
  /// waits for an event. Returns false once all commands are done.
  bool turn(bool wait) {
    in_turn_ = true;
    step_all();
    if (!commands_.empty()) {
      const auto is_ready = [](const auto& command) { return command->is_ready(); };
      const bool ready = std::any_of(commands_.begin(), commands_.end(), is_ready);
      watch_.hold(natives_.waiting() > 0);
      const bool is_alive = loop_.run_once(wait && !ready);
      natives_.deliver();
      if (!is_alive && natives_.waiting() == 0) end_stuck();
      step_all();
    }
    in_turn_ = false;
    return !commands_.empty();
  }

  int descriptor() { return uv_backend_fd(loop_.raw()); }

  int timeout() {
    if (!owner_.check()) return 0;  // turn() then reports the error
    for (const auto& command : commands_) {
      if (command->is_ready()) return 0;
    }
    if (commands_.empty()) return -1;
    return loop_.timeout();
  }

  Result<void> wait_for(const RunState& state, std::int64_t timeout_ms) {
    bool is_late = false;
    std::optional<Loop::TimerId> timer;
    if (timeout_ms >= 0) {
      timer = loop_.after(timeout_ms, [&] {
        timer.reset();
        is_late = true;
      });
    }
    // A callback may destroy the Engine. Then only the caller of wait_for() still owns this object,
    // and the run is lost when wait_for() returns.
    const auto is_closed = [this] { return weak_from_this().use_count() == 1; };
    while (!state.done.load() && !is_late && !is_closed()) turn(true);
    if (timer) loop_.cancel(*timer);
    if (state.done.load() || is_closed()) return {};
    return Error{ErrorKind::kTimeout,
                 "the run has not ended within " + std::to_string(timeout_ms) + " ms",
                 {},
                 {}};
  }

  NativeTable& natives() { return natives_; }
  void set_listener(std::function<void(const RunEvent&)> fn) { listener_ = std::move(fn); }
  void continued() { continued_.store(true, std::memory_order_release); }

 private:
  void step_all() {
    // Do not use iterators, because step() may call a callback that adds commands.
    for (std::size_t i = 0; i < commands_.size(); ++i) commands_[i]->step();
    std::erase_if(commands_, [](const auto& command) { return command->is_done(); });
  }

  void end_stuck() {
    for (std::size_t i = 0; i < commands_.size(); ++i) {
      if (!commands_[i]->is_ready()) commands_[i]->give_up();
    }
  }

  void tell(const Event& event) {
    if (!listener_) return;
    const std::string json = json_text(to_json(event));
    const RunEvent told{event.type,   to_string(event.type), event.run, event.step,
                        event.number, event.wall_ms,         json};
    const auto listener = listener_;  // a copy, because the callback may replace listener_
    try {
      listener(told);
    } catch (const std::exception& e) {
      report(std::string("the event callback threw: ") + e.what());
    } catch (...) {
      report("the event callback threw an exception of an unknown type");
    }
  }

  void report(const std::string& text) {
    if (!options_.log) return;
    try {
      options_.log(text);
    } catch (...) {
      return;  // the log itself failed, so nothing can report the error
    }
  }

  const Owner owner_;
  EngineOptions options_;
  SystemClock clock_;
  std::shared_ptr<Wake> wake_;
  Loop loop_;
  WakeWatch watch_;
  NativeTable natives_;
  int failure_ = 0;
  bool in_turn_ = false;
  std::atomic<bool> continued_{false};
  std::function<void(const RunEvent&)> listener_;
  std::vector<std::unique_ptr<Command>> commands_;
};

// --- Engine

Engine::Engine(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

Engine::~Engine() {
  // After fork(), the child shares descriptors and locks with its parent, so it must not release
  // them.
  if (impl_ && impl_->is_forked()) new std::shared_ptr<Impl>(impl_);  // NOLINT: leaks on purpose
}

Result<Engine> Engine::open(EngineOptions options) {
  if (!options.environment) {
    options.environment.emplace();
    for (char** entry = environ; *entry != nullptr; ++entry) {
      options.environment->push_back(*entry);
    }
  }
  const std::string asked = options.directory.empty() ? "." : options.directory;
  char resolved[PATH_MAX];
  if (realpath(asked.c_str(), resolved) == nullptr) {
    Error error = Error::from_errno(errno, "open the folder", asked);
    if (asked == ".") error.hint = "the working directory was removed: change to another one";
    return error;
  }
  options.directory = resolved;
  if (auto found = find_keeper(options.moonlet_program); !found) return found.error();
  try {
    auto impl = std::make_shared<Impl>(std::move(options));
    if (const int failure = impl->failure(); failure != 0) {
      return Error::from_errno(failure, "open an event loop");
    }
    return Engine(std::move(impl));
  } catch (const std::exception& e) {
    return Error{ErrorKind::kFailed, std::string("cannot open an engine: ") + e.what(), {}, {}};
  }
}

Result<void> Engine::provide(NativeFunction function) {
  if (auto ours = impl_->check(true); !ours) return ours.error();
  return impl_->natives().provide(std::move(function));
}

Result<void> Engine::add_preset(const std::string& name, std::map<std::string, std::string> files) {
  if (auto ours = impl_->check(true); !ours) return ours.error();
  return impl_->natives().add_preset(name, std::move(files));
}

Result<void> Engine::on_event(std::function<void(const RunEvent&)> fn) {
  if (auto ours = impl_->check(true); !ours) return ours.error();
  impl_->set_listener(std::move(fn));
  return {};
}

Result<Run> Engine::start(Request request) { return impl_->start(std::move(request)); }

Result<Run> Engine::resume(const std::string& id, const std::string& options) {
  return impl_->start({.target = id, .options = options, .verb = "resume"});
}

Result<Run> Engine::answer(const std::string& id, const std::string& text,
                           const std::string& options) {
  return impl_->start({.target = id,
                       .arguments = json_text(nlohmann::json::array({text})),
                       .options = options,
                       .verb = "answer"});
}

Result<Outcome> Engine::command(const std::vector<std::string>& words) {
  auto run = start(Request::command(words));
  if (!run) return run.error();
  if (auto ended = run->wait(); !ended) return ended.error();
  return run->result();
}

int Engine::descriptor() const { return impl_->descriptor(); }
int Engine::timeout() const { return impl_->timeout(); }

Result<bool> Engine::turn() {
  const auto keep = impl_;  // a callback may destroy the Engine
  if (auto ours = keep->check(false); !ours) return ours.error();
  return keep->turn(false);
}

void Engine::continued() { impl_->continued(); }
void Engine::on_interrupt(int signal) { LuaState::on_signal(signal); }
void Engine::restore_terminal() { EchoOff::restore(); }

// --- Run

std::string Run::id() const {
  const std::lock_guard lock(state_->mutex);
  return state_->id;
}

bool Run::done() const { return state_->done.load(std::memory_order_acquire); }
void Run::cancel() const { state_->cancel(); }

Result<void> Run::wait(std::int64_t timeout_ms) const {
  if (auto ours = state_->owner.check(); !ours) return ours;
  if (done()) return {};
  const auto state = state_;  // a callback may destroy this handle
  const auto engine = state->engine.lock();
  if (!engine) return invalid("the engine of this run is closed");
  if (auto ours = engine->check(false); !ours) return ours.error();
  return engine->wait_for(*state, timeout_ms);
}

Result<Outcome> Run::result() const {
  if (auto ours = state_->owner.check(); !ours) return ours.error();
  if (!done()) return invalid("the run has not ended", "wait() for it");
  return *state_->outcome;
}

namespace {

nlohmann::json run_of(const Run& run) {
  const auto outcome = run.result();
  if (!outcome) return {};
  auto envelope = parse_json(outcome->envelope, kRecordJsonLimits);
  if (!envelope || !envelope->is_object()) return {};
  return envelope->value("run", nlohmann::json());
}

}  // namespace

std::string Run::verdict() const {
  const nlohmann::json run = run_of(*this);
  return run.is_object() ? run.value("verdict", std::string()) : std::string();
}

std::string Run::steps() const {
  const nlohmann::json run = run_of(*this);
  return run.is_object() && run.contains("steps") ? json_text(run["steps"]) : "[]";
}

namespace {

constexpr std::size_t kMostArtifacts = 100'000;

Result<Dir> open_sidecar(const RunState& state) {
  if (auto ours = state.owner.check(); !ours) return ours.error();
  if (state.sidecar.empty()) return invalid("the run has no folder yet");
  return Dir::open(state.sidecar);
}

Result<void> gather(const Dir& dir, const std::string& folder, std::vector<Artifact>& found) {
  auto listing = dir.list(folder.empty() ? "." : folder, kMostArtifacts);
  if (!listing) return listing.error();
  for (const Entry& entry : listing->entries) {
    const std::string path = folder.empty() ? entry.name : folder + "/" + entry.name;
    if (entry.kind == EntryKind::kDir) {
      if (auto inside = gather(dir, path, found); !inside) return inside;
    } else if (entry.kind == EntryKind::kFile && found.size() < kMostArtifacts) {
      auto info = dir.stat(path);
      if (info) found.push_back({path, info->size});
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Artifact>> Run::artifacts() const {
  auto dir = open_sidecar(*state_);
  if (!dir) return dir.error();
  std::vector<Artifact> found;
  if (auto all = gather(*dir, {}, found); !all) return all.error();
  return found;
}

Result<int> Run::open_artifact(const std::string& name) const {
  auto dir = open_sidecar(*state_);
  if (!dir) return dir.error();
  auto file = dir->open_read(name);
  if (!file) return file.error();
  return file->release();
}

// --- texts

std::string_view version() { return MOONLET_VERSION; }

std::string envelope_of(std::string_view command, const Error& error) {
  using nlohmann::json;
  const auto some = [](const std::string& text) { return text.empty() ? json() : json(text); };
  return json_text({{"ok", false},
                    {"command", command},
                    {"run", nullptr},
                    {"result", nullptr},
                    {"error",
                     {{"kind", to_string(error.kind)},
                      {"message", error.message},
                      {"hint", some(error.hint)},
                      {"at", some(error.at)}}}});
}

std::string text_of(const Error& error) {
  std::string text = "moonlet: " + printable(error.message, kLongestLine) + "\n";
  if (!error.hint.empty()) text += "  " + printable(error.hint, kLongestLine) + "\n";
  return text;
}

}  // namespace moonlet
