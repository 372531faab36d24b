// A lost value stands in for the result of a failed branch of a fan-out.
// A lost value is truthy, prints and compares; any other use raises the error `lost`.
// Lost values are userdata, because raw access would bypass a table's metatable. Loop thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Registers the metatable of lost values. Call it once for each Lua state.
void open_lost(lua_State* L);

/// Replaces the record {branch, kind, message} at the top of the stack by its lost value.
void make_lost(lua_State* L);

/// Pushes the record of the lost value at `index`. Pushes nothing for any other value.
bool push_lost_record(lua_State* L, int index);

void refuse_lost(lua_State* L, int index);

}  // namespace moonlet
