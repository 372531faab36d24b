// The coroutine library of scripts. A script may keep coroutines of its own, and may await inside
// them: the wait bubbles up through resume and wrap to the scheduler, and the coroutine goes on
// when it is over. The coroutines of tasks belong to the scheduler and are out of reach.
#include "lua/error.h"
#include "lua/guard.h"
#include "lua/sandbox.h"
#include "lua/scheduler.h"

namespace moonlet {

namespace {

lua_State* check_coroutine(lua_State* L, int index) {
  lua_State* co = lua_tothread(L, index);
  luaL_argexpected(L, co != nullptr, index, "coroutine");
  if (Scheduler::of(L).is_task_thread(co)) {
    luaL_argerror(L, index, "a coroutine of the script's own expected");
  }
  return co;
}

/// Resumes `co`; the coroutine object is at stack index 1. Returns the count of results pushed
/// after a boolean, or does not return when the wait goes up.
int continue_resume(lua_State* L, int status, lua_KContext context);

int resume_coroutine(lua_State* L, lua_State* co, int nargs, lua_KContext wrapped) {
  if (lua_status(co) == LUA_OK && lua_gettop(co) - nargs == 0) {
    lua_settop(co, 0);
    lua_pushboolean(L, 0);
    lua_pushliteral(L, "cannot resume dead coroutine");
    return 2;
  }
  int nresults = 0;
  const int status = lua_resume(co, L, nargs, &nresults);
  if (status == LUA_YIELD && Scheduler::of(L).killed()) {
    if (lua_isyieldable(L)) return lua_yield(L, 0);
    return luaL_error(L, "killed");
  }
  if (status == LUA_YIELD && Scheduler::is_await(co, nresults)) {
    lua_pop(co, nresults);
    return Scheduler::yield_await(L, wrapped, &continue_resume);
  }
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
  }
  if (!lua_checkstack(L, nresults + 1)) {
    lua_pop(co, nresults);
    return luaL_error(L, "too many results to resume");
  }
  lua_pushboolean(L, 1);
  lua_xmove(co, L, nresults);
  return nresults + 1;
}

int finish_wrap(lua_State* L, int count) {
  if (lua_toboolean(L, -count)) return count - 1;
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

int continue_resume(lua_State* L, int, lua_KContext context) {
  const bool wrapped = context != 0;
  lua_State* co = lua_tothread(L, wrapped ? lua_upvalueindex(1) : 1);
  const int count = resume_coroutine(L, co, 0, context);
  return wrapped ? finish_wrap(L, count) : count;
}

int move_arguments(lua_State* L, lua_State* co, int first) {
  const int nargs = lua_gettop(L) - first + 1;
  if (!lua_checkstack(co, nargs)) luaL_error(L, "too many arguments to resume");
  lua_xmove(L, co, nargs);
  return nargs;
}

int script_resume(lua_State* L) {
  lua_State* co = check_coroutine(L, 1);
  if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) {
    lua_pushboolean(L, 0);
    lua_pushliteral(L, "cannot resume dead coroutine");
    return 2;
  }
  return resume_coroutine(L, co, move_arguments(L, co, 2), 0);
}

int script_create(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State* co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

int script_wrapped(lua_State* L) {
  lua_State* co = lua_tothread(L, lua_upvalueindex(1));
  return finish_wrap(L, resume_coroutine(L, co, move_arguments(L, co, 1), 1));
}

int script_wrap(lua_State* L) {
  script_create(L);
  lua_pushcclosure(L, guard<script_wrapped>, 1);
  return 1;
}

int script_yield(lua_State* L) {
  if (Scheduler::of(L).is_task_thread(L)) {
    return raise(L, ErrorKind::kInvalid, "coroutine.yield outside of a coroutine of the script's",
                 "to wait, call ctx:sleep or another verb of ctx");
  }
  return lua_yield(L, lua_gettop(L));
}

const char* status_of(lua_State* L, lua_State* co) {
  if (L == co) return "running";
  switch (lua_status(co)) {
    case LUA_YIELD:
      return "suspended";
    case LUA_OK: {
      lua_Debug frame;
      if (lua_getstack(co, 0, &frame)) return "normal";
      return lua_gettop(co) == 0 ? "dead" : "suspended";
    }
    default:
      return "dead";
  }
}

int script_status(lua_State* L) {
  lua_State* co = lua_tothread(L, 1);
  luaL_argexpected(L, co != nullptr, 1, "coroutine");
  lua_pushstring(L, status_of(L, co));
  return 1;
}

int script_isyieldable(lua_State* L) {
  lua_pushboolean(L, lua_isyieldable(L) && !Scheduler::of(L).is_task_thread(L));
  return 1;
}

int script_running(lua_State* L) {
  const bool task = Scheduler::of(L).is_task_thread(L);
  if (task) {
    lua_pushnil(L);  // the coroutine of a task is not handed out
  } else {
    lua_pushthread(L);
  }
  lua_pushboolean(L, task);
  return 2;
}

int script_close(lua_State* L) {
  lua_State* co = check_coroutine(L, 1);
  const std::string_view status = status_of(L, co);
  if (status != "suspended" && status != "dead") {
    return luaL_error(L, "cannot close a %s coroutine", status.data());
  }
  if (lua_resetthread(co) == LUA_OK) {
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
