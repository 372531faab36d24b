// Reads a child's description from a Lua table, on the loop thread.
// A field of another type or with an unknown name raises an error.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "host/process/child/child.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// Each function reads one field of the table at `index`. The table keeps a returned text alive.
/// A missing field yields an empty text, `otherwise` or false.
/// A field of another type, or a negative integer, raises an error.
std::string_view field_text(lua_State* L, int index, const char* key);
std::int64_t field_integer(lua_State* L, int index, const char* key, std::int64_t otherwise);
bool field_flag(lua_State* L, int index, const char* key);

/// Reads argv, env, cwd, wall_ms, idle_ms, redact and confine of the table at `index`.
/// A field outside of this list and `more` raises an error. `spec` lies in a box.
void read_child_spec(lua_State* L, int index, ChildSpec& spec,
                     std::initializer_list<std::string_view> more);

}  // namespace moonlet
