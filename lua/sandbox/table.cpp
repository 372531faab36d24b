// Defines a table library that uses only raw access: it never calls __index, __newindex or __len.
// Its loops poll for a kill. sort is stable, and its comparison function cannot change the values
// that are being sorted.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "lua/sandbox/sandbox.h"
#include "lua/vm/guard.h"
#include "lua/vm/lost.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

constexpr lua_Integer kMostElements = 1 << 24;  // limit of a call; usually memory runs out first
constexpr lua_Integer kPollMask = 0xfff;

void poll_at(lua_State* L, lua_Integer i) {
  if ((i & kPollMask) == 0) LuaState::poll(L);
}

lua_Integer length_of(lua_State* L, int index) {
  return static_cast<lua_Integer>(lua_rawlen(L, index));
}

void check_table(lua_State* L, int index) { luaL_checktype(L, index, LUA_TTABLE); }

void check_writable(lua_State* L, int index) {
  check_table(L, index);
  check_not_host_object(L, index);
}

int table_insert(lua_State* L) {
  check_writable(L, 1);
  const lua_Integer end = length_of(L, 1) + 1;
  if (lua_gettop(L) == 2) {
    lua_rawseti(L, 1, end);
    return 0;
  }
  if (lua_gettop(L) != 3) return luaL_error(L, "wrong number of arguments to 'insert'");
  const lua_Integer position = luaL_checkinteger(L, 2);
  luaL_argcheck(L, position >= 1 && position <= end, 2, "position out of bounds");
  for (lua_Integer i = end; i > position; --i) {
    poll_at(L, i);
    lua_rawgeti(L, 1, i - 1);
    lua_rawseti(L, 1, i);
  }
  lua_rawseti(L, 1, position);
  return 0;
}

int table_remove(lua_State* L) {
  check_writable(L, 1);
  const lua_Integer size = length_of(L, 1);
  lua_Integer position = luaL_optinteger(L, 2, size);
  if (lua_gettop(L) > 1 && position != size) {
    luaL_argcheck(L, position >= 1 && position <= size + 1, 2, "position out of bounds");
  }
  lua_rawgeti(L, 1, position);
  for (; position < size; ++position) {
    poll_at(L, position);
    lua_rawgeti(L, 1, position + 1);
    lua_rawseti(L, 1, position);
  }
  lua_pushnil(L);
  lua_rawseti(L, 1, position);
  return 1;
}

int table_move(lua_State* L) {
  const int into = lua_isnoneornil(L, 5) ? 1 : 5;
  check_table(L, 1);
  const lua_Integer first = luaL_checkinteger(L, 2);
  const lua_Integer last = luaL_checkinteger(L, 3);
  const lua_Integer to = luaL_checkinteger(L, 4);
  check_writable(L, into);
  if (last >= first) {
    const lua_Unsigned count =
        static_cast<lua_Unsigned>(last) - static_cast<lua_Unsigned>(first) + 1;
    luaL_argcheck(L, count != 0 && count <= static_cast<lua_Unsigned>(kMostElements), 3,
                  "too many elements to move");
    const auto number = static_cast<lua_Integer>(count);
    luaL_argcheck(L, to <= std::numeric_limits<lua_Integer>::max() - number + 1, 4,
                  "destination wrap around");
    // If the ranges overlap so that copying forwards would overwrite elements, copy backwards.
    const bool backwards = to > first && to <= last && (into == 1 || lua_rawequal(L, 1, into));
    for (lua_Integer i = 0; i < number; ++i) {
      poll_at(L, i);
      const lua_Integer offset = backwards ? number - 1 - i : i;
      lua_rawgeti(L, 1, first + offset);
      lua_rawseti(L, into, to + offset);
    }
  }
  lua_pushvalue(L, into);
  return 1;
}

int table_concat(lua_State* L) {
  check_table(L, 1);
  std::size_t size = 0;
  const char* separator = luaL_optlstring(L, 2, "", &size);
  const lua_Integer first = luaL_optinteger(L, 3, 1);
  const lua_Integer last = lua_isnoneornil(L, 4) ? length_of(L, 1) : luaL_checkinteger(L, 4);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (lua_Integer i = first; i <= last; ++i) {
    poll_at(L, i);
    lua_rawgeti(L, 1, i);
    if (!lua_isstring(L, -1)) {
      refuse_lost(L, -1);
      if (lua_touserdata(L, -1) == nullptr && lua_islightuserdata(L, -1)) {
        return luaL_error(L, "m.null at %I: it is JSON's null, or that branch returned nothing",
                          static_cast<LUAI_UACINT>(i));
      }
      return luaL_error(L, "invalid value (a %s at index %I) in table for 'concat'",
                        luaL_typename(L, -1), static_cast<LUAI_UACINT>(i));
    }
    luaL_addvalue(&buffer);
    if (i == last) break;  // i + 1 could overflow
    luaL_addlstring(&buffer, separator, size);
  }
  luaL_pushresult(&buffer);
  return 1;
}

int table_unpack(lua_State* L) {
  check_table(L, 1);
  const lua_Integer first = luaL_optinteger(L, 2, 1);
  const lua_Integer last = lua_isnoneornil(L, 3) ? length_of(L, 1) : luaL_checkinteger(L, 3);
  if (first > last) return 0;
  const lua_Unsigned count = static_cast<lua_Unsigned>(last) - static_cast<lua_Unsigned>(first);
  if (count >= static_cast<lua_Unsigned>(std::numeric_limits<int>::max()) ||
      !lua_checkstack(L, static_cast<int>(count) + 1)) {
    return luaL_error(L, "too many results to unpack");
  }
  const int number = static_cast<int>(count) + 1;
  for (int i = 0; i < number; ++i) lua_rawgeti(L, 1, first + i);
  return number;
}

/// Sorts `count` positions by merging. It is stable, and tolerates a `less(a, b)` that is
/// inconsistent. `less` may raise a Lua error, because both arrays are in Lua's memory.
template <typename Less>
void merge_sort(std::uint32_t* order, std::uint32_t* spare, std::uint32_t count, Less less) {
  std::uint32_t* const result = order;
  for (std::uint64_t width = 1; width < count; width *= 2) {
    for (std::uint64_t low = 0; low < count; low += 2 * width) {
      const auto middle = static_cast<std::uint32_t>(std::min<std::uint64_t>(low + width, count));
      const auto high = static_cast<std::uint32_t>(std::min<std::uint64_t>(low + 2 * width, count));
      auto left = static_cast<std::uint32_t>(low), right = middle, out = left;
      if (right == high || !less(order[right], order[middle - 1])) {  // already sorted
        std::copy(order + low, order + high, spare + low);
        continue;
      }
      while (left < middle && right < high) {
        spare[out++] = less(order[right], order[left]) ? order[right++] : order[left++];
      }
      while (left < middle) spare[out++] = order[left++];
      while (right < high) spare[out++] = order[right++];
    }
    std::swap(order, spare);
  }
  if (order != result) std::copy(order, order + count, result);
}

/// Like Lua's `<`, but compares strings by their bytes, because Lua's order depends on the locale.
bool is_less(lua_State* L, int a, int b) {
  if (lua_type(L, a) != LUA_TSTRING || lua_type(L, b) != LUA_TSTRING) {
    return lua_compare(L, a, b, LUA_OPLT) != 0;
  }
  return check_text(L, a) < check_text(L, b);
}

int table_sort(lua_State* L) {
  check_writable(L, 1);
  const bool asks = !lua_isnoneornil(L, 2);
  if (asks) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  const lua_Integer count = length_of(L, 1);
  luaL_argcheck(L, count <= kMostElements, 1, "list too long");
  if (count < 2) return 0;
  luaL_checkstack(L, 8, "sort");
  // Stack index 3 is a copy of the list, which the comparison function cannot access. Index 4 is an
  // array of positions, which is sorted instead of the list.
  lua_createtable(L, static_cast<int>(count), 0);
  for (lua_Integer i = 1; i <= count; ++i) {
    poll_at(L, i);
    lua_rawgeti(L, 1, i);
    lua_rawseti(L, 3, i);
  }
  const auto places = static_cast<std::uint32_t>(count);
  auto* order =
      static_cast<std::uint32_t*>(lua_newuserdatauv(L, 2 * places * sizeof(std::uint32_t), 0));
  for (std::uint32_t i = 0; i < places; ++i) order[i] = i + 1;
  lua_Integer compared = 0;
  merge_sort(order, order + places, places, [&](std::uint32_t a, std::uint32_t b) {
    poll_at(L, ++compared);
    if (asks) lua_pushvalue(L, 2);
    lua_rawgeti(L, 3, a);
    lua_rawgeti(L, 3, b);
    if (asks) lua_call(L, 2, 1);
    const bool less = asks ? lua_toboolean(L, -1) != 0 : is_less(L, -2, -1);
    lua_settop(L, 4);
    return less;
  });
  for (lua_Integer i = 0; i < count; ++i) {
    poll_at(L, i);
    lua_rawgeti(L, 3, order[i]);
    lua_rawseti(L, 1, i + 1);
  }
  return 0;
}

constexpr luaL_Reg kFunctions[] = {
    {"insert", guard<table_insert>},
    {"remove", guard<table_remove>},
    {"move", guard<table_move>},
    {"concat", guard<table_concat>},
    {"unpack", guard<table_unpack>},
    {"sort", guard<table_sort>},
    {nullptr, nullptr},
};

}  // namespace

int luaopen_sandbox_table(lua_State* L) {
  lua_pushcfunction(L, luaopen_table);
  lua_call(L, 0, 1);
  luaL_setfuncs(L, kFunctions, 0);
  return 1;
}

}  // namespace moonlet
