// Defines the coroutine library of scripts. A script may await inside a coroutine that it has
// created: resume() and wrap() then yield to the scheduler, and continue the coroutine after the
// await. Scripts cannot access the coroutines of tasks.

#include "lua/core/core.h"
#include "lua/sandbox/sandbox.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

constexpr const char kDead[] = "cannot resume dead coroutine";

lua_State* check_coroutine(lua_State* L, int index) {
  lua_State* co = lua_tothread(L, index);
  luaL_argexpected(L, co != nullptr, index, "coroutine");
  if (LuaState::of(L).is_task(co)) {
    luaL_argerror(L, index, "a coroutine of the script's own expected");
  }
  return co;
}

const char kOutsideMarker = 0;

/// Resumer tells which function has resumed a coroutine. That function decides in which form
/// continue_resume() returns the results after an await.
enum Resumer : lua_KContext { kResume = 0, kWrap = 1, kDrive = 2 };

bool waits_outside(lua_State* co, int nresults) {
  return nresults == 1 && lua_touserdata(co, -1) == &kOutsideMarker;
}

/// Returns true while `co` is suspended in an await. The await's marker is then on the stack of
/// `co`, and only the function that has yielded the await may resume `co`.
bool awaits(lua_State* co) {
  return lua_status(co) == LUA_YIELD && lua_gettop(co) > 0 &&
         (Scheduler::is_await(co, 1) || waits_outside(co, 1));
}

enum class Status { kRunning, kSuspended, kNormal, kDead };

Status status_of(lua_State* L, lua_State* co) {
  if (L == co) return Status::kRunning;
  if (awaits(co)) return Status::kNormal;
  switch (lua_status(co)) {
    case LUA_YIELD:
      return Status::kSuspended;
    case LUA_OK: {
      lua_Debug frame;
      if (lua_getstack(co, 0, &frame)) return Status::kNormal;
      return lua_gettop(co) == 0 ? Status::kDead : Status::kSuspended;
    }
    default:
      return Status::kDead;
  }
}

const char* to_text(Status status) {
  switch (status) {
    case Status::kRunning:
      return "running";
    case Status::kSuspended:
      return "suspended";
    case Status::kNormal:
      return "normal";
    case Status::kDead:
      break;
  }
  return "dead";
}

int refuse(lua_State* L, const char* why) {
  lua_pushboolean(L, 0);
  lua_pushstring(L, why);
  return 2;
}

int continue_resume(lua_State* L, int status, lua_KContext context);

/// Resumes `co`, whose stack has `nargs` arguments. Pushes a boolean and the results. If `co`
/// awaits, yields the await to the scheduler instead of returning.
int resume_coroutine(lua_State* L, lua_State* co, int nargs, lua_KContext resumer) {
  int nresults = 0;
  const int status = LuaState::of(L).resume(co, L, nargs, &nresults);
  LuaState::poll(L);
  if (status == LUA_YIELD && Scheduler::is_await(co, nresults)) {
    return Scheduler::yield_await(L, resumer, &continue_resume);
  }
  if (status == LUA_YIELD && waits_outside(co, nresults)) {
    if (resumer == kDrive) return 0;
    lua_pushlightuserdata(L, const_cast<char*>(&kOutsideMarker));
    return lua_yieldk(L, 1, resumer, &continue_resume);
  }
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
  }
  if (!lua_checkstack(L, nresults + 1)) {
    lua_pop(co, nresults);
    return refuse(L, "too many results to resume");
  }
  lua_pushboolean(L, 1);
  lua_xmove(co, L, nresults);
  return nresults + 1;
}

/// Moves the arguments from stack index `first` upwards to `co`, and resumes `co`. If `co` is not
/// suspended, pushes false and an error message.
int start_resume(lua_State* L, lua_State* co, int first, lua_KContext resumer) {
  LuaState::poll(L);
  const Status status = status_of(L, co);
  if (status == Status::kDead) return refuse(L, kDead);
  if (status != Status::kSuspended) return refuse(L, "cannot resume non-suspended coroutine");
  const int nargs = lua_gettop(L) - first + 1;
  if (!lua_checkstack(co, nargs)) return refuse(L, "too many arguments to resume");
  lua_xmove(L, co, nargs);
  return resume_coroutine(L, co, nargs, resumer);
}

/// Closes the to-be-closed variables of a failed coroutine. If closing fails, that error replaces
/// the one at the top of the stack.
void close_failed(lua_State* L, lua_State* co) {
  if (lua_status(co) == LUA_OK || lua_status(co) == LUA_YIELD) return;
  lua_xmove(L, co, 1);
  LuaState::of(L).close(co);
  lua_xmove(co, L, 1);
  LuaState::poll(L);
}

/// Converts the results of resume() to those of wrap(). If the coroutine has failed, raises its
/// error.
int finish_wrap(lua_State* L, lua_State* co, int count) {
  if (lua_toboolean(L, -count)) return count - 1;
  const int status = lua_status(co);
  close_failed(L, co);
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

int finish_drive(lua_State* L, lua_State* co, int count);

/// Called after an await in a coroutine. Removes the await's marker from the coroutine's stack and
/// resumes the coroutine.
int continue_resume(lua_State* L, int, lua_KContext resumer) {
  lua_State* co = lua_tothread(L, resumer == kWrap ? lua_upvalueindex(1) : 1);
  lua_pop(co, 1);
  const int count = resume_coroutine(L, co, 0, resumer);
  if (resumer == kWrap) return finish_wrap(L, co, count);
  return resumer == kDrive ? finish_drive(L, co, count) : count;
}

int script_resume(lua_State* L) {
  lua_State* co = check_coroutine(L, 1);
  return start_resume(L, co, 2, kResume);
}

int script_create(lua_State* L) {
  LuaState::poll(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State* co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

int script_wrapped(lua_State* L) {
  lua_State* co = lua_tothread(L, lua_upvalueindex(1));
  return finish_wrap(L, co, start_resume(L, co, 1, kWrap));
}

int script_wrap(lua_State* L) {
  script_create(L);
  lua_pushcclosure(L, guard<script_wrapped>, 1);
  return 1;
}

int script_yield(lua_State* L) {
  LuaState::poll(L);
  if (LuaState::of(L).is_task(L)) {
    return raise(L, ErrorKind::kInvalid, "coroutine.yield outside of a coroutine of the script's",
                 "to wait, call ctx:sleep or another verb of ctx");
  }
  return lua_yield(L, lua_gettop(L));
}

int script_status(lua_State* L) {
  lua_State* co = lua_tothread(L, 1);
  luaL_argexpected(L, co != nullptr, 1, "coroutine");
  lua_pushstring(L, to_text(status_of(L, co)));
  return 1;
}

int script_isyieldable(lua_State* L) {
  lua_State* co = lua_isnone(L, 1) ? L : lua_tothread(L, 1);
  luaL_argexpected(L, co != nullptr, 1, "coroutine");
  lua_pushboolean(L, lua_isyieldable(co) && !LuaState::of(L).is_task(co));
  return 1;
}

int script_running(lua_State* L) {
  const bool task = LuaState::of(L).is_task(L);
  if (task) {
    lua_pushnil(L);  // scripts must not access a task's coroutine
  } else {
    lua_pushthread(L);
  }
  lua_pushboolean(L, task);
  return 2;
}

int script_close(lua_State* L) {
  LuaState::poll(L);
  lua_State* co = check_coroutine(L, 1);
  const Status status = status_of(L, co);
  if (status != Status::kSuspended && status != Status::kDead) {
    return luaL_error(L, "cannot close a %s coroutine", to_text(status));
  }
  const int closed = LuaState::of(L).close(co);
  LuaState::poll(L);
  if (closed == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

int finish_drive(lua_State* L, lua_State* co, int count) {
  if (count == 0) {
    lua_pushliteral(L, "waits");
    return 1;
  }
  if (!lua_toboolean(L, -count)) close_failed(L, co);
  const char* how = !lua_toboolean(L, -count)     ? "failed"
                    : lua_status(co) == LUA_YIELD ? "yielded"
                                                  : "ended";
  lua_pushstring(L, how);
  lua_replace(L, -count - 1);
  return count;
}

/// drive(coroutine) resumes a coroutine and returns how it stopped.
/// Returns "ended" and the results, "failed" and the error, "yielded" and the values, or "waits" if
/// it called wait_outside(). The next drive() continues it.
int drive(lua_State* L) {
  lua_State* co = check_coroutine(L, 1);
  lua_settop(L, 1);
  if (awaits(co)) return continue_resume(L, LUA_YIELD, kDrive);
  return finish_drive(L, co, start_resume(L, co, 2, kDrive));
}

int nothing(lua_State*, int, lua_KContext) { return 0; }

/// wait_outside(): makes drive() return "waits". Returns when drive() is called again.
int wait_outside(lua_State* L) {
  LuaState::poll(L);
  if (!lua_isyieldable(L) || LuaState::of(L).is_task(L)) {
    return raise(L, ErrorKind::kInvalid, "code at this place may not wait", kMayNotWait);
  }
  lua_pushlightuserdata(L, const_cast<char*>(&kOutsideMarker));
  return lua_yieldk(L, 1, 0, &nothing);
}

constexpr luaL_Reg kFunctions[] = {
    {"create", guard<script_create>},
    {"resume", guard<script_resume>},
    {"wrap", guard<script_wrap>},
    {"yield", guard<script_yield>},
    {"status", guard<script_status>},
    {"isyieldable", guard<script_isyieldable>},
    {"running", guard<script_running>},
    {"close", guard<script_close>},
    {nullptr, nullptr},
};

}  // namespace

int luaopen_sandbox_coroutine(lua_State* L) {
  luaL_newlib(L, kFunctions);
  return 1;
}

const luaL_Reg kCoreCoroutine[] = {
    {"drive", guard<drive>},
    {"wait_outside", guard<wait_outside>},
    {nullptr, nullptr},
};

}  // namespace moonlet
