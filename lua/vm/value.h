// Converts Lua values to JSON and back. Integers stay integers, and null has its own value.
// An empty table becomes an object unless it was marked as an array. Loop thread only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lua/vm/lua_api.h"

namespace moonlet {

/// ValueLimits limits the depth, the number of values and the bytes of text of a value.
/// Lua's capped allocator does not count the memory of JSON values.
struct ValueLimits {
  int depth = 64;
  std::size_t nodes = 1'000'000;
  std::size_t bytes = std::size_t{16} << 20;
};

/// kRecordLimits allow more for a host record, which contains several values.
constexpr ValueLimits kRecordLimits{96, 4'000'000, std::size_t{256} << 20};

/// Registers the metatable of arrays. Call it once for each Lua state.
void open_values(lua_State* L);

/// Pushes `value`, which lies in a box or outlives the call, because the push may raise.
void push_value(lua_State* L, const nlohmann::json& value);

/// Reads the value at `index` into `out`, which lies in a box. Raw access only.
/// Raises `invalid` for functions, userdata, NaN, mixed keys, cycles and too deep values.
/// A lost value becomes {"lost": {branch, kind, message}}; infinity becomes null.
void read_value(lua_State* L, int index, nlohmann::json& out, const ValueLimits& limits = {});

/// Each function sets a field of the table at the top of the stack.
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

/// Returns the texts of the list at `index`, up to the first element that is not text.
std::vector<std::string> read_texts(lua_State* L, int index);

/// Pushes the metatable that marks a table as an array.
void push_array_metatable(lua_State* L);
bool is_marked_array(lua_State* L, int index);

}  // namespace moonlet
