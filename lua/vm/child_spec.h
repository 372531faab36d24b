// Reading a child's description from a Lua table. A field of another type or with an unknown name
// raises: a limit or a confinement that was silently ignored would be worse than an error. Loop
// thread only.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "host/process/child/child.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// Read one field of the table at `index`, which keeps a text alive. A missing field is empty,
/// `otherwise` or false; a field of another type raises, and so does a negative integer.
std::string_view field_text(lua_State* L, int index, const char* key);
std::int64_t field_integer(lua_State* L, int index, const char* key, std::int64_t otherwise);
bool field_flag(lua_State* L, int index, const char* key);

/// Reads argv, env, cwd, wall_ms, idle_ms, redact and confine of the table at `index`. Raises for
/// any field that is neither one of these nor in `more`. `spec` lies in a box.
void read_child_spec(lua_State* L, int index, ChildSpec& spec,
                     std::initializer_list<std::string_view> more);

}  // namespace moonlet
