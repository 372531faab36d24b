// Command is a request that is being executed: a run or a command line. It owns a Lua state, a
// scheduler and services. All commands of an engine share its loop.
// The engine calls step() in each turn until the command is done. step() never waits. Loop thread
// only.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "host/base/clock.h"
#include "host/base/loop.h"
#include "host/telemetry/sink.h"
#include "lua/engine/host_functions.h"
#include "lua/engine/wake.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "moonlet/engine.h"

namespace moonlet {

/// Owner records which process and thread opened an engine.
struct Owner {
  pid_t pid = getpid();
  std::thread::id thread = std::this_thread::get_id();

  bool is_forked() const { return getpid() != pid; }
  /// Fails with kInvalid if called on another thread or in a forked child.
  Result<void> check() const;
};

/// RunState is what the handles of a run share with the engine. It is created on the engine's
/// thread.
struct RunState {
  const Owner owner;
  std::shared_ptr<Wake> wake;
  std::weak_ptr<Engine::Impl> engine;
  std::atomic<bool> cancel_asked{false};
  std::atomic<bool> done{false};
  std::optional<Result<Outcome>> outcome;  // the engine's thread sets this before `done`
  std::string sidecar;                     // absolute path; engine's thread only
  std::mutex mutex;
  std::string id;  // guarded by mutex

  void cancel() {
    cancel_asked.store(true, std::memory_order_release);
    wake->send();
  }
};

class Command {
 public:
  struct Host {
    Loop& loop;
    const Clock& clock;
    const EngineOptions& options;
    HostFunctions& functions;
    std::atomic<bool>& continued;
    std::function<void(const Event&)> on_event;
  };

  Command(Host host, Request request, std::shared_ptr<RunState> state);
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// Resumes ready tasks. Returns true if the command is done.
  bool step();
  /// Returns true if step() has work to do before the next event of the loop.
  bool is_ready() const;
  bool is_done() const { return phase_ == Phase::kDone; }
  /// Fails the command because all its tasks wait and no event can wake them.
  void give_up();

 private:
  enum class Phase { kNew, kRuns, kLastWords, kDone };

  bool begin();
  bool step_scheduler();
  void end(Result<Outcome> outcome);
  void fail(const Error& why);
  void begin_last_words(const Error& why);
  Result<Outcome> read_outcome();
  void see(const Event& event);
  void trim_when_quiet();
  void trim();

  Host host_;
  Request request_;
  std::shared_ptr<RunState> state_;
  Phase phase_ = Phase::kNew;
  bool cancel_heard_ = false;
  std::unique_ptr<LuaState> lua_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<CallbackSink> sink_;
  std::unique_ptr<Scheduler> scheduler_;
  std::shared_ptr<Task> task_;
  std::optional<Loop::TimerId> trim_timer_;
  std::int64_t active_ms_ = 0;     // when a task last ran
  std::size_t trimmed_bytes_ = 0;  // Lua's memory after the last garbage collection by trim()
};

}  // namespace moonlet
