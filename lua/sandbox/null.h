// JSON's null is a light userdata with address 0, the only light userdata that scripts see.
// null prints and compares; any other use raises an explanatory error. Loop thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Sets the metatable of null. Call it once for each Lua state.
void open_null(lua_State* L);

}  // namespace moonlet
