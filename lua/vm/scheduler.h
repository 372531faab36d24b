// Scheduler owns the tasks (one coroutine each) and the cancel scopes of a Lua state. Only await()
// yields to the loop, and only pump() resumes tasks. Loop thread only.
// Cancellation is sticky: after a scope is cancelled, every await in it raises the scope's error.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "host/base/loop.h"
#include "host/base/operation.h"
#include "host/base/result.h"
#include "lua/vm/lua_api.h"
#include "lua/vm/state.h"
#include "lua/vm/turns.h"

namespace moonlet {

class Task;

/// CancelScope is a region of code that can be cancelled or time out together with the tasks in it.
/// Scopes form a tree.
class CancelScope : public std::enable_shared_from_this<CancelScope> {
 public:
  CancelScope* parent() const { return parent_.get(); }
  /// Returns the error that the next await in the scope raises: the scope's own, or that of an
  /// enclosing scope up to the next shield. Returns nullptr if there is none.
  const Error* pending_error() const;
  const std::optional<Error>& own_error() const { return error_; }
  bool shielded() const { return shielded_; }
  bool open() const { return open_; }

 private:
  friend class Scheduler;
  friend class Task;

  std::shared_ptr<CancelScope> parent_;
  std::optional<Error> error_;
  std::optional<Loop::TimerId> deadline_;
  std::int64_t credit_ms_ = 0;                // value of held_ms() when `deadline_ms_` was set
  std::function<void(CancelScope&)> expire_;  // the timer calls it at the deadline
  std::int64_t deadline_ms_ = 0;              // when the current timer fires, by the loop's clock
  std::int64_t left_ms_ = 0;                  // the time that is left while the clock is stopped
  int clock_stops_ = 0;
  bool stopped_ = false;  // start_clock() must start the timer again
  bool shielded_ = false;
  bool ends_budget_ = false;  // true if the deadline is the end of the run's time budget
  bool open_ = true;
  int live_tasks_ = 0;
  std::shared_ptr<Operation> expiry_;                // completes when a replay reaches the timeout
  std::vector<std::function<void()>> idle_waiters_;  // called when live_tasks_ becomes 0
};

/// Task is a coroutine that the scheduler runs. It must not outlive the Lua state, whose registry
/// has its results.
class Task : public Operation {
 public:
  enum class Outcome { kRunning, kReturned, kRaised };
  explicit Task(lua_State* main) : L_(main) {}
  ~Task() override { luaL_unref(L_, LUA_REGISTRYINDEX, result_ref_); }
  Outcome outcome() const { return outcome_; }
  /// Number of callers that will handle the task's outcome. If it is 0, a failure of the task also
  /// fails its scope.
  int watchers = 0;
  /// Returns the registry reference of {n = count, results…} or {error}; LUA_NOREF until the task
  /// has ended.
  int result_ref() const { return result_ref_; }
  const std::shared_ptr<CancelScope>& scope() const { return scope_; }

 private:
  friend class Scheduler;
  void start_cancel() override {}

  lua_State* L_;
  Outcome outcome_ = Outcome::kRunning;
  int thread_ref_ = LUA_NOREF;
  int result_ref_ = LUA_NOREF;
  bool started_ = false;
  bool ready_ = false;
  int nargs_ = 0;
  std::shared_ptr<CancelScope> scope_;       // the innermost scope that is open
  std::shared_ptr<CancelScope> base_scope_;  // the scope in which the task was spawned
  std::shared_ptr<Operation> waiting_for_;
  std::vector<std::function<void()>> join_waiters_;
};

/// Pushes the results of a completed operation and returns their number. May raise an error.
using PushResults = int (*)(lua_State* L, Operation& operation);

/// Pending is the state of an await. It is in a box on the Lua stack.
struct Pending {
  std::shared_ptr<Operation> operation;
  PushResults push = nullptr;
  bool unchecked = false;  ///< return the results even if the task was cancelled
};

inline constexpr char kMayNotWait[] =
    "a module, a sort or gsub callback and a metamethod of tostring may not wait, nor what a "
    "<close> variable does after an error: use ctx:finally to clean up";

class Scheduler {
 public:
  Scheduler(LuaState& state, Loop& loop);
  ~Scheduler();

  static Scheduler& of(lua_State* L);

  /// Starts a task in the root scope. Pops `nargs` arguments and the function below them.
  std::shared_ptr<Task> start_main(int nargs);
  /// Resumes tasks until none is ready and no turn can complete.
  void pump();
  /// Called by the event loop when a scope has timed out.
  /// `what` names the scope, and `error` is the error that cancels it.
  std::function<void(std::string_view what, const Error& error)> on_deadline;
  /// Returns true if the run was asked to end. `end_asked` may be unset.
  std::function<bool()> end_asked;
  /// If the run is asked to end, cancels the root scope and returns true.
  bool hear_end();
  bool has_ready() const { return !ready_.empty(); }
  void cancel(CancelScope& scope, Error error);
  /// Returns the scope of the main task. Cancelling it ends all tasks.
  const std::shared_ptr<CancelScope>& root() const { return root_; }
  bool killed() const { return state_.is_killed(); }
  /// Returns the message and traceback of the last task that failed, for the run's log.
  const std::string& last_traceback() const { return last_traceback_; }

  /// Raises an error if the running task is cancelled. Call this before an operation is started.
  void check(lua_State* L);
  /// Like check(), but first cancels the running task if one of its deadlines has passed or if the
  /// run was asked to end. Call this before an action with side effects, because the event loop
  /// would notice the deadline or the request only after the action. Resumes no other task.
  void check_now(lua_State* L);
  /// Pushes a box for an await. The caller must store a started operation in it.
  /// Raises an error if the task is cancelled (unless `unchecked`), or if Lua cannot yield here.
  Pending& prepare(lua_State* L, PushResults push, bool unchecked = false);
  /// Waits for the operation in the box at the top of the stack and returns its results.
  /// Use it only as `return scheduler.await(L);`, with no live C++ object, because it may longjmp.
  int await(lua_State* L);
  /// Starts the function at `index` as a task in `scope`. The values above `index` are its
  /// arguments.
  void spawn(lua_State* L, int index, const std::shared_ptr<CancelScope>& scope,
             std::shared_ptr<Task>& task);
  /// Opens a scope inside the running task's scope. If the scope times out, its tasks get an error
  /// of the kind `kind` whose message begins with `what`.
  std::shared_ptr<CancelScope> open_scope(std::optional<std::int64_t> timeout_ms, bool shielded,
                                          std::string_view what, ErrorKind kind);
  /// Pauses the scope's time limit until start_clock() was called as often as stop_clock().
  void stop_clock(CancelScope& scope);
  void start_clock(CancelScope& scope);
  /// Leaves `scope` and all open scopes inside it. Their tasks must have ended.
  void close_scope(const std::shared_ptr<CancelScope>& scope);
  /// Returns an operation that completes when all tasks in `scope` have ended. It cannot be
  /// cancelled.
  std::shared_ptr<Operation> wait_idle(const std::shared_ptr<CancelScope>& scope);
  std::shared_ptr<Operation> wait_task(const std::shared_ptr<Task>& task);
  /// Returns an operation that completes when all tasks wait and none of them waits for a lower
  /// order.
  std::shared_ptr<Operation> wait_turn(std::uint64_t order) { return turns_.wait(order); }
  /// Blocks the turn `order` and all later turns until release_turn() was called as often as
  /// hold_turn(). Timeouts do not count this time, because the original run had no such pause.
  void hold_turn(std::uint64_t order);
  void release_turn(std::uint64_t order);
  /// Makes the scope time out in a replay when its turn comes. This needs no timer.
  void expire_at_turn(const std::shared_ptr<CancelScope>& scope, std::uint64_t order, Error error);
  /// Returns an operation that completes after `ms`. If `watches` is true, the sleep does not keep
  /// the run from parking.
  std::shared_ptr<Operation> sleep(std::int64_t ms, bool watches = false);
  Task* running() const { return running_.get(); }

  /// Returns true if a coroutine has yielded because of an await.
  /// The wrappers of a script's coroutines then yield the await to their own caller.
  static bool is_await(lua_State* L, int nresults);
  /// Waits for the operation that `start()` returns, and returns the results of `push`. Use it only
  /// as `return scheduler.await_started(…);`. Lua errors skip the destructor of `start`.
  template <typename Start>
  int await_started(lua_State* L, PushResults push, Start start, bool unchecked = false) {
    static_assert(std::is_trivially_destructible_v<Start>);
    Pending& pending =
        prepare(L, push, unchecked);  // may raise an error, so call it before start()
    pending.operation = start();
    return await(L);
  }
  static int yield_await(lua_State* L, lua_KContext context, lua_KFunction continuation);

 private:
  static int finish_await(lua_State* L, int status, lua_KContext context);
  void wait_on(const std::shared_ptr<Operation>& operation);
  void make_ready(const std::shared_ptr<Task>& task);
  void resume(const std::shared_ptr<Task>& task);
  void finish(const std::shared_ptr<Task>& task, lua_State* thread, int status, int nresults);
  void enter_count(CancelScope* scope, int delta);
  void wake_cancelled();
  void arm_deadline(CancelScope& scope, std::int64_t ms);
  void pass_deadline(CancelScope& scope);
  std::int64_t held_ms() const;
  bool all_wait_for_each_other() const;

  LuaState& state_;
  Loop& loop_;
  lua_State* L_;
  std::shared_ptr<CancelScope> root_;
  std::shared_ptr<Task> running_;
  std::deque<std::shared_ptr<Task>> ready_;
  std::deque<std::shared_ptr<Task>> woken_;  // tasks that the resumed task has woken
  bool resuming_ = false;
  std::vector<std::shared_ptr<Task>> tasks_;
  std::string last_traceback_;
  Turns turns_;
  std::int64_t held_since_ms_ = 0;  // when the current hold began; see hold_turn()
  // Total time for which hold_turn() has blocked turns, without a hold that has not ended yet.
  std::int64_t held_before_ms_ = 0;
  /// The timer of a scope can fire after the scheduler is destroyed, if Lua keeps the scope alive.
  /// The timer's weak reference to this object has expired then.
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

}  // namespace moonlet
