// The modules of the standard library and the scripts around them. Loop thread only.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Gives the environments of open_sandbox() their `require`. Modules load when first asked for.
void open_modules(lua_State* L);

}  // namespace moonlet
