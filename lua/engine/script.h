// Implements `require` for the modules of the standard library. Call it on the engine's thread
// only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Adds `require` to the global tables of modules, which open_sandbox() has made before. The first
/// `require` of a module loads it.
void open_modules(lua_State* L);

}  // namespace moonlet
