// Reads the description of a child process from a Lua table. A field with an unknown name or a
// value of a wrong type raises an error. Loop thread only.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "host/process/child/child.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

/// Each of these functions reads a field of the table at `index`. A returned string is valid as
/// long as the table.
/// If the field is missing, field_text() returns "", field_integer() returns `otherwise`, and
/// field_flag() returns false.
/// They raise an error if the value has another type, or is a negative integer.
std::string_view field_text(lua_State* L, int index, const char* key);
std::int64_t field_integer(lua_State* L, int index, const char* key, std::int64_t otherwise);
bool field_flag(lua_State* L, int index, const char* key);

/// Reads argv, env, cwd, wall_ms, idle_ms, redact and confine of the table at `index`.
/// Raises an error for any other field that is not in `more`. `spec` must be in a box.
void read_child_spec(lua_State* L, int index, ChildSpec& spec,
                     std::initializer_list<std::string_view> more);

}  // namespace moonlet
