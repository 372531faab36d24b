#include "lua/sandbox/null.h"

#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

constexpr const char* kHint =
    "m.null is JSON's null, and the result of a branch that returned nothing: ask with == m.null";

int null_indexed(lua_State* L) {
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushfstring(L, "m.null has no field '%s'", lua_tostring(L, 2));
  } else {
    lua_pushliteral(L, "m.null has no items");
  }
  return raise(L, ErrorKind::kInvalid, lua_tostring(L, -1), kHint);
}

int null_used(lua_State* L) {
  return raise(L, ErrorKind::kInvalid, "m.null was used as a list, a text or a number", kHint);
}

constexpr const char* kUses[] = {"__newindex", "__call", "__len", "__concat", "__unm",
                                 "__add",      "__sub",  "__mul", "__div",    "__mod",
                                 "__pow",      "__idiv", "__lt",  "__le"};

}  // namespace

void open_null(lua_State* L) {
  lua_pushlightuserdata(L, nullptr);
  lua_createtable(L, 0, 20);
  for (const char* use : kUses) {
    lua_pushcfunction(L, guard<null_used>);
    lua_setfield(L, -2, use);
  }
  lua_pushcfunction(L, guard<null_indexed>);
  lua_setfield(L, -2, "__index");
  set_flag(L, "__metatable", 0);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

}  // namespace moonlet
