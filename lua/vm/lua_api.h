// Includes Lua's headers. They need no `extern "C"`, because they declare their linkage themselves,
// for a Lua compiled as C or as C++.
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static_assert(LUA_VERSION_NUM == 504, "moonlet needs Lua 5.4");
