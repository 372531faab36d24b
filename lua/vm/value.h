// Converts Lua values to JSON and back. Integers stay integers, and null becomes m.null. An empty
// table becomes an object, unless it is marked as an array. Loop thread only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Limits the depth, the number of values and the total text of a value. Lua's memory limit does
/// not include the memory of JSON values.
struct ValueLimits {
  int depth = 64;
  std::size_t nodes = 1'000'000;
  std::size_t bytes = std::size_t{16} << 20;
};

/// Limits for a record of the host. They are larger than those for a value of a script, because a
/// record contains several such values.
constexpr ValueLimits kRecordLimits{96, 4'000'000, std::size_t{256} << 20};

/// Registers the metatable that marks arrays. Call this once for each Lua state.
void open_values(lua_State* L);

/// Pushes `value`. It must be in a box or outlive the call, because the push may raise an error.
void push_value(lua_State* L, const nlohmann::json& value);

/// Reads the value at `index` into `out`, which must be in a box. Calls no metamethods.
/// Raises `invalid` for functions, userdata, NaN, mixed keys, cycles, and values that are too deep.
/// A lost value becomes {"lost": {branch, kind, message}}, and infinity becomes null.
void read_value(lua_State* L, int index, nlohmann::json& out, const ValueLimits& limits = {});

/// Each of these functions sets a field of the table at the top of the stack.
inline void set_text(lua_State* L, const char* key, std::string_view text) {
  lua_pushlstring(L, text.data(), text.size());
  lua_setfield(L, -2, key);
}
inline void set_number(lua_State* L, const char* key, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}
inline void set_flag(lua_State* L, const char* key, bool value) {
  lua_pushboolean(L, value ? 1 : 0);
  lua_setfield(L, -2, key);
}

/// Returns the strings in the list at `index`, up to the first element that is not a string.
std::vector<std::string> read_texts(lua_State* L, int index);

/// Pushes the metatable that marks a table as an array.
void push_array_metatable(lua_State* L);
bool is_marked_array(lua_State* L, int index);

}  // namespace moonlet
