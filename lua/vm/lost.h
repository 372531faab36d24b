// A lost value stands in the results of a fan-out in the place of a branch that failed. It is
// truthy, prints and compares; any other use raises the error `lost`, at the author's line. A
// userdata, because a table could be read around its metatable. Loop thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Registers the metatable of lost values; called once a state.
void open_lost(lua_State* L);

/// Replaces the record {branch, kind, message} at the top of the stack by a lost value of it.
void make_lost(lua_State* L);

/// Pushes the record of the lost value at `index`; pushes nothing for any other value.
bool push_lost_record(lua_State* L, int index);

/// Raises the error `lost` when the value at `index` is a lost value.
void refuse_lost(lua_State* L, int index);

}  // namespace moonlet
