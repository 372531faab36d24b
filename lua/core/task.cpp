// core.task has the primitives of ctx:scope and ctx:parallel: tasks, cancel scopes and waits.
#include <memory>

#include "lua/core/core.h"
#include "lua/vm/bind.h"
#include "lua/vm/scheduler.h"

namespace moonlet {

/// Lets a C++ function for Lua have a parameter Scheduler&. It gets the scheduler of the calling
/// Lua state. Lua code passes no argument for it.
template <>
struct Argument<Scheduler&> {
  static constexpr int kCount = 0;
  static Scheduler& read(lua_State* L, int) { return Scheduler::of(L); }
};

namespace {

using ScopeRef = std::shared_ptr<CancelScope>;
using TaskRef = std::shared_ptr<Task>;

ScopeRef& check_scope(lua_State* L) {
  auto* scope = to_box<ScopeRef>(L, 1);
  if (scope == nullptr) luaL_argerror(L, 1, "scope expected");
  return *scope;
}

TaskRef& check_task(lua_State* L) {
  auto* task = to_box<TaskRef>(L, 1);
  if (task == nullptr) luaL_argerror(L, 1, "task expected");
  return *task;
}

/// open_scope{timeout = ms?, shield = bool?, what = text?, kind = "budget"?} opens a cancel scope
/// in the running task
int task_open_scope(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "timeout");
  lua_getfield(L, 1, "shield");
  lua_getfield(L, 1, "what");
  lua_getfield(L, 1, "kind");
  const bool timed = !lua_isnil(L, 2);
  const lua_Number timeout = timed ? luaL_checknumber(L, 2) : 0;
  std::size_t size = 0;
  const char* what = luaL_optlstring(L, 4, "the scope", &size);
  Scheduler& scheduler = Scheduler::of(L);
  if (scheduler.running() == nullptr) luaL_error(L, "a scope needs a running task");
  ScopeRef& scope = push_box<ScopeRef>(L);
  scope = scheduler.open_scope(
      timed ? std::optional<std::int64_t>(static_cast<std::int64_t>(timeout)) : std::nullopt,
      lua_toboolean(L, 3) != 0, {what, size},
      lua_isnil(L, 5) ? ErrorKind::kTimeout : ErrorKind::kBudget);
  return 1;
}

/// close_scope(scope): leaves the scope and all open scopes inside it
int task_close_scope(lua_State* L) {
  Scheduler::of(L).close_scope(check_scope(L));
  return 0;
}

/// cancel_scope(scope, error): makes each later await inside the scope raise `error`
int task_cancel_scope(lua_State* L) {
  ScopeRef& scope = check_scope(L);
  Scheduler::of(L).cancel(*scope, read_error(L, 2));
  return 0;
}

/// scope_error(scope) returns the error with which this scope was cancelled. Returns no value if
/// the scope was not cancelled, even if an enclosing scope was.
int task_scope_error(lua_State* L) {
  ScopeRef& scope = check_scope(L);
  if (!scope->own_error()) return 0;
  push_error(L, *scope->own_error());
  return 1;
}

/// pending_error(scope?) returns the error that the next await in the scope will raise; no value if
/// none.
/// Without `scope`, uses the scope of the running task.
int task_pending_error(lua_State* L) {
  Task* task = Scheduler::of(L).running();
  const CancelScope* scope = task == nullptr ? nullptr : task->scope().get();
  if (!lua_isnoneornil(L, 1)) scope = check_scope(L).get();
  const Error* error = scope == nullptr ? nullptr : scope->pending_error();
  if (error == nullptr) return 0;
  push_error(L, *error);
  return 1;
}

/// as_error(table) gives the table the metatable of errors, so that tostring() returns its message.
/// Returns the table.
int task_as_error(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  make_error(L, 1);
  return 1;
}

int turn_clocks(lua_State* L, void (Scheduler::*turn)(CancelScope&)) {
  Scheduler& scheduler = Scheduler::of(L);
  if (!lua_isnoneornil(L, 1)) return (scheduler.*turn)(*check_scope(L)), 0;
  Task* task = scheduler.running();
  for (auto* at = task == nullptr ? nullptr : task->scope().get(); at != nullptr;
       at = at->parent()) {
    if (at->shielded()) (scheduler.*turn)(*at);
  }
  return 0;
}

/// stop_clock(scope?): pauses the time limit of the scope until start_clock(scope?) was called as
/// often as stop_clock(scope?).
/// Without `scope`, pauses the time limits of all shielded scopes around the running task.
int task_stop_clock(lua_State* L) { return turn_clocks(L, &Scheduler::stop_clock); }

int task_start_clock(lua_State* L) { return turn_clocks(L, &Scheduler::start_clock); }

int push_nothing(lua_State*, Operation&) { return 0; }

/// wait_scope(scope): waits until all tasks in the scope have ended, even if the caller is
/// cancelled
int task_wait_scope(lua_State* L) {
  ScopeRef& scope = check_scope(L);
  Scheduler& scheduler = Scheduler::of(L);
  return scheduler.await_started(
      L, push_nothing, [&] { return scheduler.wait_idle(scope); }, true);
}

/// spawn(scope, fn, …) starts `fn` as a task in the scope and returns the task
int task_spawn(lua_State* L) {
  ScopeRef& scope = check_scope(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (!scope->open()) luaL_error(L, "the scope has ended");
  TaskRef& task = push_box<TaskRef>(L);
  lua_insert(L, 2);
  Scheduler::of(L).spawn(L, 3, scope, task);
  lua_settop(L, 2);
  return 1;
}

int push_outcome(lua_State* L, Task& task) {
  if (!task.done()) return 0;
  const bool returned = task.outcome() == Task::Outcome::kReturned;
  lua_pushboolean(L, returned);
  lua_rawgeti(L, LUA_REGISTRYINDEX, task.result_ref());
  const int results = lua_gettop(L);
  if (!returned) {
    lua_rawgeti(L, results, 1);
    lua_remove(L, results);
    return 2;
  }
  lua_getfield(L, results, "n");
  const int count = static_cast<int>(lua_tointeger(L, -1));
  lua_pop(L, 1);
  luaL_checkstack(L, count, "too many results");
  for (int i = 1; i <= count; ++i) lua_rawgeti(L, results, i);
  lua_remove(L, results);
  return 1 + count;
}

/// outcome(task) returns no value while the task runs, then true and its results, or false and its
/// error
int task_outcome(lua_State* L) { return push_outcome(L, *check_task(L)); }

/// join(task): waits until the task has ended; outcome() then returns its results
int task_join(lua_State* L) {
  TaskRef& task = check_task(L);
  Scheduler& scheduler = Scheduler::of(L);
  return scheduler.await_started(L, push_nothing, [&] { return scheduler.wait_task(task); });
}

/// watch(task, delta) adds `delta` to the number of callers that will handle the task's outcome,
/// and returns the new number
int task_watch(lua_State* L) {
  TaskRef& task = check_task(L);
  task->watchers += static_cast<int>(luaL_checkinteger(L, 2));
  lua_pushinteger(L, task->watchers);
  return 1;
}

int sleep_for(lua_State* L, bool watches) {
  const lua_Number ms = luaL_checknumber(L, 1);
  luaL_argcheck(L, ms >= 0 && ms < 1e13, 1, "milliseconds expected");
  Scheduler& scheduler = Scheduler::of(L);
  return scheduler.await_started(L, push_nothing, [&scheduler, ms, watches] {
    return scheduler.sleep(static_cast<std::int64_t>(ms), watches);
  });
}

/// sleep(ms): waits for `ms` milliseconds
int task_sleep(lua_State* L) { return sleep_for(L, false); }

/// watch_sleep(ms): like sleep(), for a task that only observes others.
/// Such a sleep does not keep the run from parking.
int task_watch_sleep(lua_State* L) { return sleep_for(L, true); }

int await_turn(lua_State* L, std::uint64_t order) {
  Scheduler& scheduler = Scheduler::of(L);
  return scheduler.await_started(L, push_nothing, [&] { return scheduler.wait_turn(order); });
}

/// wait_turn(order): blocks the task until its turn in a replay. That is when no task can run, and
/// every other task in wait_turn() has a higher order. Without `order`, the turn comes after all
/// recorded turns.
int task_wait_turn(lua_State* L) {
  const lua_Integer order = luaL_optinteger(L, 1, -1);
  return await_turn(L, order < 0 ? Turns::kLast : static_cast<std::uint64_t>(order));
}

/// park(): waits until nothing else can happen in the run
int task_park(lua_State* L) { return await_turn(L, Turns::kParked); }

/// expire_at_turn(scope, order, error): makes the scope time out with `error` at turn number
/// `order` of a replay
int task_expire_at_turn(lua_State* L) {
  ScopeRef& scope = check_scope(L);
  const lua_Integer order = luaL_checkinteger(L, 2);
  Scheduler::of(L).expire_at_turn(scope, static_cast<std::uint64_t>(order), read_error(L, 3));
  return 0;
}

/// current() returns a value that identifies the running task as long as the task lives
int task_current(lua_State* L) {
  lua_pushlightuserdata(L, Scheduler::of(L).running());
  return 1;
}

/// check(): raises an error if the running task is cancelled. First handles deadlines that have
/// passed.
int task_check(lua_State* L) {
  Scheduler::of(L).check_now(L);
  return 0;
}

}  // namespace

const luaL_Reg kCoreTask[] = {
    {"open_scope", guard<task_open_scope>},
    {"close_scope", guard<task_close_scope>},
    {"cancel_scope", guard<task_cancel_scope>},
    {"scope_error", guard<task_scope_error>},
    {"pending_error", guard<task_pending_error>},
    {"as_error", guard<task_as_error>},
    {"stop_clock", guard<task_stop_clock>},
    {"start_clock", guard<task_start_clock>},
    {"wait_scope", guard<task_wait_scope>},
    {"spawn", guard<task_spawn>},
    {"outcome", guard<task_outcome>},
    {"join", guard<task_join>},
    {"watch", guard<task_watch>},
    {"sleep", guard<task_sleep>},
    {"watch_sleep", guard<task_watch_sleep>},
    {"wait_turn", guard<task_wait_turn>},
    {"hold_turn", raising<&Scheduler::hold_turn>},
    {"release_turn", raising<&Scheduler::release_turn>},
    {"park", guard<task_park>},
    {"expire_at_turn", guard<task_expire_at_turn>},
    {"current", guard<task_current>},
    {"check", guard<task_check>},
    {nullptr, nullptr},
};

}  // namespace moonlet
