// JSON's null as a Lua value: a light userdata of address 0, the only light userdata that scripts
// see. It prints and compares; any other use is an error that says what it is. Loop thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Sets the metatable of null; called once per state.
void open_null(lua_State* L);

}  // namespace moonlet
