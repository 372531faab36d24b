// Reading a child's description from a Lua table. Whatever it says wrongly about a confinement
// raises: a confinement that is not the one that was meant is worse than none. Loop thread only.
#pragma once

#include <cstdint>
#include <string_view>

#include "host/process/child/child.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// The fields of the table at `index`, which keeps a text alive; empty, `otherwise` or false for
/// another kind of value.
std::string_view field_text(lua_State* L, int index, const char* key);
std::int64_t field_integer(lua_State* L, int index, const char* key, std::int64_t otherwise);
bool field_flag(lua_State* L, int index, const char* key);

/// argv, env, cwd, wall, idle, redact and confine of the table at `index`. `spec` lies in a box.
void read_child_spec(lua_State* L, int index, ChildSpec& spec);

}  // namespace moonlet
