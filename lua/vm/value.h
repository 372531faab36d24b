// Lua values to JSON and back. Integers stay integers, null is a value of its own, and a table
// knows whether it was an array: an empty table is an object unless it was marked. Loop thread
// only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lua/vm/lua_api.h"

namespace moonlet {

/// How deep a value may nest, how many values and how many bytes of text it may hold. No allocator
/// limits memory outside of Lua.
struct ValueLimits {
  int depth = 64;
  std::size_t nodes = 1'000'000;
  std::size_t bytes = std::size_t{16} << 20;
};

/// The limits of a host record, which holds several values, nested deeper.
constexpr ValueLimits kRecordLimits{96, 4'000'000, std::size_t{256} << 20};

/// Registers the metatable of arrays; called once per state.
void open_values(lua_State* L);

/// Pushes `value`; may raise if memory is short, so `value` must live in a box or outlive the call.
void push_value(lua_State* L, const nlohmann::json& value);

/// Reads the value at `index` into `out`, which lives in a box. Raises an `invalid` error for
/// values that JSON cannot hold: functions, userdata, NaN, mixed keys, cycles, too deep. Raw access
/// only. A lost value is {"lost": {branch, kind, message}}, and infinity is null.
void read_value(lua_State* L, int index, nlohmann::json& out, const ValueLimits& limits = {});

/// Each sets a field of the table at the top of the stack.
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

/// The texts of the list at `index`, up to the first element that is no text. Raises nothing.
std::vector<std::string> read_texts(lua_State* L, int index);

/// The metatable that marks a table as an array, pushed.
void push_array_metatable(lua_State* L);
bool is_marked_array(lua_State* L, int index);

}  // namespace moonlet
