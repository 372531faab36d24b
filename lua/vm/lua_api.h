// Includes Lua's headers. They work with a Lua compiled as C or as C++: in C++ code, the headers
// themselves declare the right linkage.
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static_assert(LUA_VERSION_NUM == 504, "moonlet needs Lua 5.4");
