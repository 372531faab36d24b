// Helpers that other primitives share with core.file. Loop thread only.
#pragma once

#include "host/artifact/file/dir.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// The directory handle at `index`; raises for anything else.
const Dir& check_dir(lua_State* L, int index);

/// Adds to the table on top what puts files in place and keeps what was there.
void add_file_swap(lua_State* L);

}  // namespace moonlet
