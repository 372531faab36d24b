// core.lost makes the values that replace the results of lost branches.
// Lost values are made in C++, so that JSON and journal writers always recognise them.
#include "lua/vm/lost.h"

#include "lua/core/core.h"
#include "lua/vm/guard.h"

namespace moonlet {

namespace {

/// new{branch = text, kind = text, message = text} returns a lost value, which references the table
int lost_new(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  make_lost(L);
  return 1;
}

/// record(value) returns the table of a lost value; no value otherwise
int lost_record(lua_State* L) { return push_lost_record(L, 1) ? 1 : 0; }

/// refuse(value): raises an error of kind `lost` if `value` is a lost value
int lost_refuse(lua_State* L) {
  refuse_lost(L, 1);
  return 0;
}

constexpr luaL_Reg kFunctions[] = {
    {"new", guard<lost_new>},
    {"record", guard<lost_record>},
    {"refuse", guard<lost_refuse>},
    {nullptr, nullptr},
};

}  // namespace

int luaopen_core_lost(lua_State* L) {
  luaL_newlib(L, kFunctions);
  return 1;
}

}  // namespace moonlet
