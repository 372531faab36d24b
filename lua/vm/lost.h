// A lost value stands in for the result of a branch of a fan-out that has failed. It is true in
// conditions, and can be printed and compared. Any other use raises the error `lost`. Lost values
// are userdata, because rawget on a table would bypass the metatable. Loop thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Registers the metatable of lost values. Call it once for each Lua state.
void open_lost(lua_State* L);

/// Replaces the record {branch, kind, message} at the top of the stack by a lost value with this
/// record.
void make_lost(lua_State* L);

/// Pushes the record of the lost value at `index` and returns true. If the value is not a lost
/// value, pushes nothing and returns false.
bool push_lost_record(lua_State* L, int index);

void refuse_lost(lua_State* L, int index);

}  // namespace moonlet
