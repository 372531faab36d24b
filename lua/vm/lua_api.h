// The one place where Lua's headers come in. Lua's own headers declare C linkage for C++ programs,
// so the same include is right for a Lua built as C and for one built as C++.
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static_assert(LUA_VERSION_NUM == 504, "moonlet needs Lua 5.4");
