// Loads modules of the standard library, and scripts. Loop thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Adds `require` to the environments of open_sandbox(). A module loads at its first use.
void open_modules(lua_State* L);

}  // namespace moonlet
