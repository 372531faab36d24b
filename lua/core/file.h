// Helpers of core.file that other libraries use. Loop thread only.
#pragma once

#include "host/artifact/file/dir.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// Returns the folder whose handle is at `index`. Raises an error if the value is not a folder's
/// handle.
const Dir& check_dir(lua_State* L, int index);

}  // namespace moonlet
