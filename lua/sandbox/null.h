// Defines JSON's null, which scripts see as m.null. It is a light userdata with address 0, the only
// one that scripts see. Scripts can print and compare it. Any other use raises an error with an
// explanation. Loop thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Sets the metatable of null. Call it once for each Lua state.
void open_null(lua_State* L);

}  // namespace moonlet
