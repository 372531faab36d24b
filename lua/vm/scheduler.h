// Scheduler owns the tasks (one coroutine each) and the cancel scopes of one Lua state. Its await
// is the only place that yields to the loop and pump() the only one that resumes. Cancellation is
// sticky: once a scope is cancelled, every await inside it raises the scope's error, until the
// scope is left. Loop thread only.
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

/// A region that can be cancelled or time out as a whole. Scopes form a tree; a task runs in one.
class CancelScope : public std::enable_shared_from_this<CancelScope> {
 public:
  CancelScope* parent() const { return parent_.get(); }
  /// The error that a cancelled scope raises: its own, or an enclosing scope's up to the next
  /// shield.
  const Error* pending_error() const;
  const std::optional<Error>& own_error() const { return error_; }
  bool shielded() const { return shielded_; }
  /// Live tasks whose scope is this one or one below it.
  bool open() const { return open_; }

 private:
  friend class Scheduler;
  friend class Task;

  std::shared_ptr<CancelScope> parent_;
  std::optional<Error> error_;
  std::optional<Loop::TimerId> deadline_;
  std::int64_t credit_ms_ = 0;                // the time with held turns that was already credited
  std::function<void(CancelScope&)> expire_;  // the action at its deadline
  std::int64_t deadline_ms_ = 0;              // the time of the deadline, while it is armed
  std::int64_t left_ms_ = 0;                  // the time left when its clock was stopped
  int clock_stops_ = 0;
  bool stopped_ = false;  // its deadline is to be armed again
  bool shielded_ = false;
  bool ends_budget_ = false;  // its deadline is the run's budget
  bool open_ = true;
  int live_tasks_ = 0;
  std::shared_ptr<Operation> expiry_;                // the turn at which it times out
  std::vector<std::function<void()>> idle_waiters_;  // called when live_tasks_ falls to zero
};

/// One coroutine. It must not outlive the Lua state: its results live in the registry.
class Task : public Operation {
 public:
  enum class Outcome { kRunning, kReturned, kRaised };
  explicit Task(lua_State* main) : L_(main) {}
  ~Task() override { luaL_unref(L_, LUA_REGISTRYINDEX, result_ref_); }
  Outcome outcome() const { return outcome_; }
  /// The number of pending joins. A failure without one is unobserved.
  int watchers = 0;
  /// Registry reference of a table: {n = count, …results}, or {error}. LUA_NOREF before the end.
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
  std::shared_ptr<CancelScope> scope_;       // the innermost one it is in now
  std::shared_ptr<CancelScope> base_scope_;  // the one it was spawned in
  std::shared_ptr<Operation> waiting_for_;
  std::vector<std::function<void()>> join_waiters_;
};

/// Pushes the results of a finished operation; may raise. Returns their count.
using PushResults = int (*)(lua_State* L, Operation& operation);

/// The data of an await, in a box on the Lua stack while it waits.
struct Pending {
  std::shared_ptr<Operation> operation;
  PushResults push = nullptr;
  bool unchecked = false;  ///< returns its results even when the task was cancelled meanwhile
};

/// The hint for an await where Lua cannot yield.
inline constexpr char kMayNotWait[] =
    "a module, a sort or gsub callback and a metamethod of tostring may not wait, nor what a "
    "<close> variable does after an error: ctx:finally puts in order what there is";

class Scheduler {
 public:
  Scheduler(LuaState& state, Loop& loop);
  ~Scheduler();

  /// The scheduler of any coroutine of a state.
  static Scheduler& of(lua_State* L);

  // --- from C++ ---
  /// Starts the function below the top `nargs` values of the main stack (all popped) as a task in
  /// the root scope.
  std::shared_ptr<Task> start_main(int nargs);
  /// Resumes every task that is ready, until none is and no turn can be given.
  void pump();
  /// Called by the event loop when a scope's deadline passes, with the scope's `what` and the error
  /// that will cancel it.
  std::function<void(std::string_view what, const Error& error)> on_deadline;
  /// Returns true once the whole run is asked to end; may be empty.
  std::function<bool()> end_asked;
  /// Cancels everything if the run is asked to end. True if so.
  bool hear_end();
  bool has_ready() const { return !ready_.empty(); }
  void cancel(CancelScope& scope, Error error);
  /// The scope of the main task; cancel it to end everything.
  const std::shared_ptr<CancelScope>& root() const { return root_; }
  bool killed() const { return !state_.killed().empty(); }
  std::string kill_reason() const { return state_.killed(); }
  /// The error of a failed task, with the traceback, for the run's log.
  const std::string& last_traceback() const { return last_traceback_; }

  // --- for functions that Lua calls, while their task runs ---
  /// Raises when the running task is cancelled. Call before starting an operation.
  void check(lua_State* L);
  /// Like check(), but first handles a request to end and due deadlines, which the event loop would
  /// handle only in its next turn. Call before an action. No other task runs meanwhile.
  void check_now(lua_State* L);
  /// Pushes the box of an await, to be filled with a started operation. Raises when the running
  /// task is cancelled (unless `unchecked`) or when this place cannot wait.
  Pending& prepare(lua_State* L, PushResults push, bool unchecked = false);
  /// Waits for the operation in the box at the top of the stack and returns its results. Use as
  /// `return scheduler.await(L);` with no owning C++ object alive: it may leave by a longjmp.
  int await(lua_State* L);
  /// Spawns the function at `index` with the values above it as arguments into `scope`, and puts
  /// the task into `task`.
  void spawn(lua_State* L, int index, const std::shared_ptr<CancelScope>& scope,
             std::shared_ptr<Task>& task);
  /// Opens a scope inside the running task's. `what` names it in the error of a timeout, which is
  /// of `kind`.
  std::shared_ptr<CancelScope> open_scope(std::optional<std::int64_t> timeout_ms, bool shielded,
                                          std::string_view what, ErrorKind kind);
  /// Pauses the scope's time limit until start_clock() was called as often.
  void stop_clock(CancelScope& scope);
  void start_clock(CancelScope& scope);
  /// Leaves `scope` and all open scopes inside it. The caller must have waited for their tasks.
  void close_scope(const std::shared_ptr<CancelScope>& scope);
  /// Completes when no task lives in `scope`. Cannot be cancelled.
  std::shared_ptr<Operation> wait_idle(const std::shared_ptr<CancelScope>& scope);
  /// Completes when `task` ended.
  std::shared_ptr<Operation> wait_task(const std::shared_ptr<Task>& task);
  /// Completes when every task waits and `order` is the lowest awaited order.
  std::shared_ptr<Operation> wait_turn(std::uint64_t order) { return turns_.wait(order); }
  /// Delays this turn and all later ones until it is released as often as it was held. That time
  /// counts for no timeout, because the original run did not spend it.
  void hold_turn(std::uint64_t order);
  void release_turn(std::uint64_t order);
  /// Lets the open scope time out at its turn instead of by the clock.
  void expire_at_turn(const std::shared_ptr<CancelScope>& scope, std::uint64_t order, Error error);
  /// Completes after `ms`. `watches`: no other task depends on it.
  std::shared_ptr<Operation> sleep(std::int64_t ms, bool watches = false);
  Task* running() const { return running_.get(); }

  /// The values that a coroutine yields when it awaits, so that wrappers of script coroutines pass
  /// them on.
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
  std::deque<std::shared_ptr<Task>> roused_;  ///< by the task that is resumed
  bool resuming_ = false;
  std::vector<std::shared_ptr<Task>> tasks_;
  std::string last_traceback_;
  Turns turns_;
  std::int64_t held_since_ms_ = 0;
  std::int64_t held_before_ms_ = 0;  // in holds that are over
  /// Deadlines of scopes that Lua still owns may pass after the scheduler is destroyed.
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

}  // namespace moonlet
