// Helpers that other primitives share with core.run. Loop thread only.
#pragma once

#include <string_view>

#include "host/artifact/run/directory.h"
#include "host/artifact/run/home.h"
#include "host/base/result.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// The home at `index`; raises for anything else.
Home& check_home(lua_State* L, int index);

/// A run of the home; kInvalid when there is none of that id.
Result<RunDir> open_run(Home& home, std::string_view id);

}  // namespace moonlet
