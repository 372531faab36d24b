// The coroutine library of scripts. A script may keep coroutines of its own, and may await inside
// them: the wait bubbles up through resume and wrap to the scheduler, and the coroutine goes on
// when it is over. The coroutines of tasks belong to the scheduler and are out of reach.
#include <cstring>
#include <string_view>

#include "lua/error.h"
#include "lua/guard.h"
#include "lua/sandbox.h"
#include "lua/scheduler.h"
#include "lua/state.h"

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

/// True while an await inside `co` is out: only the wrapper that passed the wait on may resume it,
/// whoever else holds the coroutine. The marker of the await stays on its stack until then.
bool awaits(lua_State* co) {
  return lua_status(co) == LUA_YIELD && lua_gettop(co) > 0 && Scheduler::is_await(co, 1);
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

/// The answer false and why, as resume gives it.
int refuse(lua_State* L, const char* why) {
  lua_pushboolean(L, 0);
  lua_pushstring(L, why);
  return 2;
}

int continue_resume(lua_State* L, int status, lua_KContext context);

/// Resumes `co` with `nargs` values on its stack. Returns the count of results pushed, a boolean
/// first, or does not return when a wait goes up or Lua was killed.
int resume_coroutine(lua_State* L, lua_State* co, int nargs, lua_KContext wrapped) {
  int nresults = 0;
  const int status = LuaState::of(L).resume(co, L, nargs, &nresults);
  LuaState::poll(L);
  if (status == LUA_YIELD && Scheduler::is_await(co, nresults)) {
    return Scheduler::yield_await(L, wrapped, &continue_resume);
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

/// Moves the arguments from `first` on to `co` and resumes it, when it may be resumed.
int start_resume(lua_State* L, lua_State* co, int first, lua_KContext wrapped) {
  LuaState::poll(L);
  const Status status = status_of(L, co);
  if (status == Status::kDead) return refuse(L, kDead);
  if (status != Status::kSuspended) return refuse(L, "cannot resume non-suspended coroutine");
  const int nargs = lua_gettop(L) - first + 1;
  if (!lua_checkstack(co, nargs)) return refuse(L, "too many arguments to resume");
  lua_xmove(L, co, nargs);
  return resume_coroutine(L, co, nargs, wrapped);
}

/// What wrap makes of the results of a resume: an error inside is an error here.
int finish_wrap(lua_State* L, lua_State* co, int count) {
  if (lua_toboolean(L, -count)) return count - 1;
  const int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {  // it ended: close what it left open
    lua_xmove(L, co, 1);
    LuaState::of(L).close(co);
    lua_xmove(co, L, 1);
    LuaState::poll(L);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

/// Goes on after an await inside a coroutine, which waits with the marker on its stack.
int continue_resume(lua_State* L, int, lua_KContext context) {
  const bool wrapped = context != 0;
  lua_State* co = lua_tothread(L, wrapped ? lua_upvalueindex(1) : 1);
  lua_pop(co, 1);
  const int count = resume_coroutine(L, co, 0, context);
  return wrapped ? finish_wrap(L, co, count) : count;
}

int script_resume(lua_State* L) {
  lua_State* co = check_coroutine(L, 1);
  return start_resume(L, co, 2, 0);
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
  return finish_wrap(L, co, start_resume(L, co, 1, 1));
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
    lua_pushnil(L);  // the coroutine of a task is not handed out
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

}  // namespace moonlet
