// Scheduler owns the tasks (one coroutine each) and the cancel scopes of one Lua state.
// Only await() yields to the loop, and only pump() resumes tasks. Loop thread only.
// Cancellation is sticky: every await in a cancelled scope raises the scope's error.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/loop.h"
#include "host/base/operation.h"
#include "host/base/result.h"
#include "lua/vm/lua_api.h"
#include "lua/vm/state.h"
#include "lua/vm/turns.h"

namespace moonlet {

class Task;

/// CancelScope is a region that can be cancelled or time out as a whole. Scopes form a tree.
class CancelScope : public std::enable_shared_from_this<CancelScope> {
 public:
  CancelScope* parent() const { return parent_.get(); }
  /// Returns the scope's own error, or the error of an enclosing scope up to the next shield.
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
  std::int64_t credit_ms_ = 0;                // held time that was already credited
  std::function<void(CancelScope&)> expire_;  // the action at the deadline
  std::int64_t deadline_ms_ = 0;              // the time of the armed deadline
  std::int64_t left_ms_ = 0;                  // the remaining time of a stopped clock
  int clock_stops_ = 0;
  bool stopped_ = false;  // the deadline must be armed again
  bool shielded_ = false;
  bool ends_budget_ = false;  // the deadline ends the run's time budget
  bool open_ = true;
  int live_tasks_ = 0;
  std::shared_ptr<Operation> expiry_;                // the turn at which the scope times out
  std::vector<std::function<void()>> idle_waiters_;  // called when live_tasks_ falls to zero
};

/// Task is one coroutine. It must not outlive the Lua state: its results live in the registry.
class Task : public Operation {
 public:
  enum class Outcome { kRunning, kReturned, kRaised };
  explicit Task(lua_State* main) : L_(main) {}
  ~Task() override { luaL_unref(L_, LUA_REGISTRYINDEX, result_ref_); }
  Outcome outcome() const { return outcome_; }
  /// Counts the pending joins. A failure without a join is unobserved.
  int watchers = 0;
  /// Returns the registry reference of {n = count, …results} or {error}; LUA_NOREF before the end.
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
  std::shared_ptr<CancelScope> scope_;       // the innermost current scope
  std::shared_ptr<CancelScope> base_scope_;  // the scope at the spawn
  std::shared_ptr<Operation> waiting_for_;
  std::vector<std::function<void()>> join_waiters_;
};

/// Pushes the results of a finished operation and returns their count. May raise an error.
using PushResults = int (*)(lua_State* L, Operation& operation);

/// Pending is the data of an await, in a box on the Lua stack.
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
  /// Resumes ready tasks until no task is ready and no turn can complete.
  void pump();
  /// on_deadline is called by the event loop when a scope's deadline passes.
  /// `what` names the scope; `error` is the error that cancels the scope.
  std::function<void(std::string_view what, const Error& error)> on_deadline;
  /// Returns true once the whole run is asked to end. The function may be empty.
  std::function<bool()> end_asked;
  /// Cancels everything and returns true if the run is asked to end.
  bool hear_end();
  bool has_ready() const { return !ready_.empty(); }
  void cancel(CancelScope& scope, Error error);
  /// Returns the scope of the main task. Cancelling the root scope ends everything.
  const std::shared_ptr<CancelScope>& root() const { return root_; }
  bool killed() const { return !state_.killed().empty(); }
  std::string kill_reason() const { return state_.killed(); }
  /// Returns the error of a failed task with its traceback, for the run's log.
  const std::string& last_traceback() const { return last_traceback_; }

  /// Raises an error if the running task is cancelled. Call check() before starting an operation.
  void check(lua_State* L);
  /// Like check(), but first handles due deadlines and a request to end. Resumes no other task.
  /// Use check_now() before an action, because the event loop would handle both too late.
  void check_now(lua_State* L);
  /// Pushes the box of an await. The caller fills the box with a started operation.
  /// Raises an error if the task is cancelled (unless `unchecked`) or Lua cannot yield here.
  Pending& prepare(lua_State* L, PushResults push, bool unchecked = false);
  /// Waits for the operation in the box at the top of the stack and returns its results.
  /// Use `return scheduler.await(L);` without a live C++ object, because await() may longjmp.
  int await(lua_State* L);
  /// Spawns the function at `index` into `scope`. The values above `index` are its arguments.
  void spawn(lua_State* L, int index, const std::shared_ptr<CancelScope>& scope,
             std::shared_ptr<Task>& task);
  /// Opens a scope inside the running task's scope.
  /// `what` names the scope in its timeout error, which has the kind `kind`.
  std::shared_ptr<CancelScope> open_scope(std::optional<std::int64_t> timeout_ms, bool shielded,
                                          std::string_view what, ErrorKind kind);
  /// Pauses the scope's time limit. Each stop_clock() needs its own start_clock().
  void stop_clock(CancelScope& scope);
  void start_clock(CancelScope& scope);
  /// Leaves `scope` and its open child scopes. The caller must have waited for their tasks.
  void close_scope(const std::shared_ptr<CancelScope>& scope);
  /// Completes when no task lives in `scope`. Cannot be cancelled.
  std::shared_ptr<Operation> wait_idle(const std::shared_ptr<CancelScope>& scope);
  std::shared_ptr<Operation> wait_task(const std::shared_ptr<Task>& task);
  /// Completes when every task waits and `order` is the lowest awaited order.
  std::shared_ptr<Operation> wait_turn(std::uint64_t order) { return turns_.wait(order); }
  /// Delays this turn and all later turns until a release for each hold.
  /// Held time counts for no timeout, because the original run did not spend it.
  void hold_turn(std::uint64_t order);
  void release_turn(std::uint64_t order);
  /// Lets the open scope time out at its turn instead of by the clock.
  void expire_at_turn(const std::shared_ptr<CancelScope>& scope, std::uint64_t order, Error error);
  /// Completes after `ms`. `watches` means that no other task depends on the timer.
  std::shared_ptr<Operation> sleep(std::int64_t ms, bool watches = false);
  Task* running() const { return running_.get(); }

  /// Recognizes the values that a coroutine yields when it awaits.
  /// Wrappers of script coroutines pass an await to their caller.
  static bool is_await(lua_State* L, int nresults);
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
  std::deque<std::shared_ptr<Task>> woken_;  // tasks that the resumed task woke
  bool resuming_ = false;
  std::vector<std::shared_ptr<Task>> tasks_;
  std::string last_traceback_;
  Turns turns_;
  std::int64_t held_since_ms_ = 0;
  std::int64_t held_before_ms_ = 0;  // the length of all finished holds
  /// A deadline of a scope that Lua still owns may pass after the scheduler's end.
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

}  // namespace moonlet
