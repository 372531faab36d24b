#include "lua/vm/lost.h"

#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

const char kLostMetatable[] = "moonlet.lost";

/// Pushes a field of the table at `record`, or "?" if it is not a string. Returns the string.
const char* push_field(lua_State* L, int record, const char* name) {
  lua_getfield(L, record, name);
  if (lua_type(L, -1) == LUA_TSTRING) return lua_tostring(L, -1);
  lua_pop(L, 1);
  lua_pushliteral(L, "?");
  return lua_tostring(L, -1);
}

/// A metamethod for operators. Raises an error if one of the operands is a lost value.
int lost_used(lua_State* L) {
  refuse_lost(L, 1);
  refuse_lost(L, 2);
  return luaL_error(L, "a lost value was used");
}

int lost_tostring(lua_State* L) {
  if (!push_lost_record(L, 1)) return luaL_error(L, "not a lost value");
  const int record = lua_gettop(L);
  const char* branch = push_field(L, record, "branch");
  const char* kind = push_field(L, record, "kind");
  const char* message = push_field(L, record, "message");
  lua_pushfstring(L, "lost branch '%s' (%s: %s)", branch, kind, message);
  return 1;
}

constexpr const char* kUses[] = {
    "__index", "__newindex", "__call", "__len",  "__concat", "__pairs", "__unm",  "__add",
    "__sub",   "__mul",      "__div",  "__mod",  "__pow",    "__idiv",  "__band", "__bor",
    "__bxor",  "__shl",      "__shr",  "__bnot", "__lt",     "__le",
};

}  // namespace

void open_lost(lua_State* L) {
  luaL_newmetatable(L, kLostMetatable);
  for (const char* use : kUses) {
    lua_pushcfunction(L, guard<lost_used>);
    lua_setfield(L, -2, use);
  }
  lua_pushcfunction(L, guard<lost_tostring>);
  lua_setfield(L, -2, "__tostring");
  set_text(L, "__name", "lost value");
  set_flag(L, "__metatable", 0);
  lua_pop(L, 1);
}

void make_lost(lua_State* L) {
  lua_newuserdatauv(L, 0, 1);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, kLostMetatable);
}

bool push_lost_record(lua_State* L, int index) {
  if (luaL_testudata(L, index, kLostMetatable) == nullptr) return false;
  lua_getiuservalue(L, index, 1);
  return true;
}

void refuse_lost(lua_State* L, int index) {
  if (!push_lost_record(L, index)) return;
  const int record = lua_gettop(L);
  const char* branch = push_field(L, record, "branch");
  const char* message = push_field(L, record, "message");
  lua_createtable(L, 0, 5);
  const int error = lua_gettop(L);
  lua_pushliteral(L, "lost");
  lua_setfield(L, error, "kind");
  lua_pushfstring(L, "the result of branch '%s' is lost: %s", branch, message);
  lua_setfield(L, error, "message");
  lua_pushliteral(L, "m.found(results, items) gives what was found, m.is_lost(value) asks");
  lua_setfield(L, error, "hint");
  if (push_place(L)) lua_setfield(L, error, "at");
  lua_createtable(L, 0, 2);
  for (const char* name : {"kind", "message"}) {
    lua_getfield(L, record, name);
    lua_setfield(L, -2, name);
  }
  make_error(L, -1);
  lua_setfield(L, error, "cause");
  make_error(L, error);
  lua_error(L);
}

}  // namespace moonlet
