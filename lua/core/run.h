// Helpers that other primitives share with core.run. Loop thread only.
#pragma once

#include "host/artifact/run/home.h"
#include "host/driver/registry.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// Returns the home at `index`. Raises an error for any other value.
Home& check_home(lua_State* L, int index);

}  // namespace moonlet
