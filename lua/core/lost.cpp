// core.lost makes the values that stand in for the results of lost branches.
// They are made in C++, so that the JSON and journal code always recognizes them.
#include "lua/vm/lost.h"

#include "lua/core/core.h"
#include "lua/vm/guard.h"

namespace moonlet {

namespace {

/// new{branch = text, kind = text, message = text} returns a lost value with this record
int lost_new(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  make_lost(L);
  return 1;
}

/// record(value) returns the record of a lost value; no value if `value` is not a lost value
int lost_record(lua_State* L) { return push_lost_record(L, 1) ? 1 : 0; }

/// refuse(value): raises an error of kind `lost` if `value` is a lost value
int lost_refuse(lua_State* L) {
  refuse_lost(L, 1);
  return 0;
}

}  // namespace

const luaL_Reg kCoreLost[] = {
    {"new", guard<lost_new>},
    {"record", guard<lost_record>},
    {"refuse", guard<lost_refuse>},
    {nullptr, nullptr},
};

}  // namespace moonlet
