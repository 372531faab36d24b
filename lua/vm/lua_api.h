// Includes Lua's headers, which suit a Lua built as C and a Lua built as C++.
// Lua's headers declare C linkage themselves in C++ code.
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static_assert(LUA_VERSION_NUM == 504, "moonlet needs Lua 5.4");
