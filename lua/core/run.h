// Helpers that other primitives share with core.run. Loop thread only.
#pragma once

#include <string_view>

#include "host/artifact/run/home.h"
#include "host/driver/registry.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// The home at `index`; raises for anything else.
Home& check_home(lua_State* L, int index);

}  // namespace moonlet
