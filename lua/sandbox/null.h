// Defines JSON's null, m.null: a light userdata with address 0, the only light userdata that
// scripts see. It can be printed and compared. Any other use raises an error that explains it. Loop
// thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Sets the metatable of null. Call it once for each Lua state.
void open_null(lua_State* L);

}  // namespace moonlet
