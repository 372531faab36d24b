// Loads modules of the standard library, and scripts. Loop thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Adds `require` to the modules' environments that open_sandbox() has made. A module is loaded
/// when it is first required.
void open_modules(lua_State* L);

}  // namespace moonlet
