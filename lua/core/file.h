// Helpers that other primitives share with core.file. Loop thread only.
#pragma once

#include "host/artifact/file/dir.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// Returns the directory handle at `index`. Raises an error for any other value.
const Dir& check_dir(lua_State* L, int index);

/// Adds the functions of file_swap.cpp to the table at the top of the stack.
void add_file_swap(lua_State* L);

}  // namespace moonlet
