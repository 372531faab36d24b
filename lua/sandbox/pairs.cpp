// Defines pairs and next with a fixed order of keys, so that a run can be replayed. Numbers come
// first, then strings by their bytes, then false and true, then other keys in the order of their
// first appearance.
// A traversal visits the keys that exist when it starts, except for keys that are removed
// meanwhile. A script may change the table during a traversal.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "lua/sandbox/sandbox.h"
#include "lua/vm/guard.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

const char kTraversalsKey = 0;  // in the registry: maps a table to its traversal by next()

constexpr std::size_t kFewKeys = 200;  // for up to this many keys, the iterator needs no array

struct Key {
  enum class Rank : std::uint8_t { kInteger, kFloat, kText, kOther };
  struct Text {
    const char* data;
    std::size_t size;
  };
  Rank rank;
  std::uint32_t place;  // where the Lua key is: an index on the stack or in an array
  union {
    lua_Integer integer;  // the key, if kInteger; its place in the order, if kOther
    lua_Number number;
    Text text;
  };
};

/// Returns true if `i` < `f`. A float key is never equal to an integer: it is infinite, has a
/// fraction, or is out of the range of integers.
bool integer_below(lua_Integer i, lua_Number f) {
  if (f >= 9223372036854775808.0) return true;
  return f > -9223372036854775808.0 && i <= static_cast<lua_Integer>(std::floor(f));
}

bool less(const Key& a, const Key& b) {
  using Rank = Key::Rank;
  const bool a_number = a.rank <= Rank::kFloat, b_number = b.rank <= Rank::kFloat;
  if (!a_number || !b_number) {
    if (a.rank != b.rank) return a.rank < b.rank;
    if (a.rank == Rank::kOther) return a.integer < b.integer;
    const int order = std::memcmp(a.text.data, b.text.data, std::min(a.text.size, b.text.size));
    return order != 0 ? order < 0 : a.text.size < b.text.size;
  }
  if (a.rank == Rank::kInteger) {
    return b.rank == Rank::kInteger ? a.integer < b.integer : integer_below(a.integer, b.number);
  }
  return b.rank == Rank::kInteger ? !integer_below(b.integer, a.number) : a.number < b.number;
}

/// Reads the key at the top of the stack. A string key must stay alive as long as the result.
Key read_key(lua_State* L, std::uint32_t place) {
  Key key;
  key.place = place;
  switch (lua_type(L, -1)) {
    case LUA_TNUMBER:
      if (lua_isinteger(L, -1)) {
        key.rank = Key::Rank::kInteger;
        key.integer = lua_tointeger(L, -1);
      } else {
        key.rank = Key::Rank::kFloat;
        key.number = lua_tonumber(L, -1);
      }
      break;
    case LUA_TSTRING:
      key.rank = Key::Rank::kText;
      key.text.data = lua_tolstring(L, -1, &key.text.size);
      break;
    case LUA_TBOOLEAN:
      key.rank = Key::Rank::kOther;
      key.integer = lua_toboolean(L, -1) - 2;
      break;
    default:
      key.rank = Key::Rank::kOther;
      key.integer = object_number(L, -1);
  }
  return key;
}

/// Sorts keys and polls for a kill. A kill leaks nothing, because the keys are in Lua's memory.
void sort_keys(lua_State* L, Key* keys, std::size_t count) {
  std::size_t compared = 0;
  std::sort(keys, keys + count, [&](const Key& a, const Key& b) {
    if ((++compared & 0xffff) == 0) LuaState::poll(L);
    return less(a, b);
  });
}

struct Shape {
  std::size_t keys = 0;
  bool is_run = true;  // the keys are 1 to n, in this order
};

Shape survey(lua_State* L, int table) {
  luaL_checkstack(L, 8, "pairs");
  Shape shape;
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    lua_pop(L, 1);
    if ((++shape.keys & 0xfff) == 0) LuaState::poll(L);
    shape.is_run = shape.is_run && lua_isinteger(L, -1) &&
                   lua_tointeger(L, -1) == static_cast<lua_Integer>(shape.keys);
  }
  return shape;
}

/// Pushes an array of the table's `count` keys, in the order of `pairs`.
void push_sorted_keys(lua_State* L, int table, std::size_t count) {
  const int room = static_cast<int>(std::min<std::size_t>(count, 1 << 28));
  lua_createtable(L, room, 0);
  const int found = lua_gettop(L);
  auto* keys = static_cast<Key*>(lua_newuserdatauv(L, sizeof(Key) * (count + 1), 0));
  std::uint32_t used = 0;
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    lua_pop(L, 1);
    if ((used & 0xfff) == 0) LuaState::poll(L);
    keys[used] = read_key(L, used + 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, found, ++used);
  }
  sort_keys(L, keys, used);
  lua_createtable(L, room, 0);
  for (std::uint32_t i = 0; i < used; ++i) {
    if ((i & 0xfff) == 0) LuaState::poll(L);
    lua_rawgeti(L, found, keys[i].place);
    lua_rawseti(L, -2, i + 1);
  }
  lua_replace(L, found);
  lua_settop(L, found);
}

// The iterators step_given() and step_own() have these upvalues: 1, the position; 2, the array of
// keys; and 3, only for step_own(), the table.

int step_in(lua_State* L, int table) {
  lua_settop(L, 1);
  for (lua_Integer at = lua_tointeger(L, lua_upvalueindex(1)) + 1;; ++at) {
    if (lua_rawgeti(L, lua_upvalueindex(2), at) == LUA_TNIL) return 1;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, table) != LUA_TNIL) {
      lua_pushinteger(L, at);
      lua_replace(L, lua_upvalueindex(1));
      return 2;
    }
    lua_settop(L, 1);
    if ((at & 0xfff) == 0) LuaState::poll(L);
  }
}

int step_given(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  return step_in(L, 1);
}

/// The iterator for small tables, which are common in scripts. Upvalue 1 is the position, and the
/// next upvalues are the keys, so that no array is needed.
int step_record(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int at = static_cast<int>(lua_tointeger(L, lua_upvalueindex(1)));
  do {
    ++at;
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(at + 1));
    if (lua_isnil(L, -1)) return 1;
    lua_pushvalue(L, -1);
  } while (lua_rawget(L, 1) == LUA_TNIL);
  lua_pushinteger(L, at);
  lua_replace(L, lua_upvalueindex(1));
  return 2;
}

/// An iterator over the table in upvalue 3. It ignores its arguments.
int step_own(lua_State* L) { return step_in(L, lua_upvalueindex(3)); }

/// The iterator for a sequence without gaps, which needs no list of keys. Its second argument is
/// the previous key.
int step_run(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const lua_Integer run = lua_tointeger(L, lua_upvalueindex(1));
  for (lua_Integer i = lua_tointeger(L, 2) + 1; i <= run; ++i) {
    if (lua_rawgeti(L, 1, i) != LUA_TNIL) {
      lua_pushinteger(L, i);
      lua_insert(L, -2);
      return 2;
    }
    lua_pop(L, 1);
    if ((i & 0xfff) == 0) LuaState::poll(L);
  }
  lua_pushnil(L);
  return 1;
}

/// Pushes the iterator step_record(), whose upvalues are the position 0, the sorted keys and a
/// final nil.
void push_record_iterator(lua_State* L, int table, std::size_t count) {
  luaL_checkstack(L, 2 * static_cast<int>(kFewKeys) + 8, "pairs");
  Key keys[kFewKeys];
  const int base = lua_gettop(L);
  std::uint32_t used = 0;
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    lua_pop(L, 1);
    keys[used] = read_key(L, static_cast<std::uint32_t>(lua_gettop(L)));
    ++used;
    lua_pushvalue(L, -1);  // a copy of the key, which lua_next() pops
  }
  std::sort(keys, keys + count, less);
  lua_pushinteger(L, 0);
  for (std::uint32_t i = 0; i < used; ++i) lua_pushvalue(L, static_cast<int>(keys[i].place));
  lua_pushnil(L);
  lua_pushcclosure(L, guard<step_record>, static_cast<int>(used) + 2);
  lua_replace(L, base + 1);
  lua_settop(L, base + 1);
}

void push_iterator(lua_State* L, int table, bool own_table) {
  const Shape shape = survey(L, table);
  if (shape.is_run && !own_table) {
    lua_pushinteger(L, static_cast<lua_Integer>(shape.keys));
    return lua_pushcclosure(L, guard<step_run>, 1);
  }
  if (shape.keys <= kFewKeys && !own_table) return push_record_iterator(L, table, shape.keys);
  lua_pushinteger(L, 0);
  push_sorted_keys(L, table, shape.keys);
  if (own_table) lua_pushvalue(L, table);
  lua_pushcclosure(L, own_table ? guard<step_own> : guard<step_given>, own_table ? 3 : 2);
}

int return_three(lua_State*, int, lua_KContext) { return 3; }

/// Pushes the first key in the order of `pairs`, and its value. Pushes nil if the table is empty.
int first_key(lua_State* L) {
  lua_settop(L, 1);
  lua_pushnil(L);
  if (lua_next(L, 1) == 0) {
    lua_pushnil(L);
    return 1;
  }
  lua_pop(L, 1);  // index 2 has the least key so far, and index 3 the current key
  Key least = read_key(L, 0);
  lua_pushvalue(L, 2);
  for (std::uint32_t seen = 1; lua_next(L, 1) != 0; ++seen) {
    if ((seen & 0xfff) == 0) LuaState::poll(L);
    lua_pop(L, 1);
    const Key key = read_key(L, 0);
    if (!less(key, least)) continue;
    least = key;
    lua_pushvalue(L, 3);
    lua_replace(L, 2);
  }
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  lua_rawget(L, 1);
  return 2;
}

/// Returns the position in `keys` of the first key that is not less than the key at stack index 2.
lua_Integer find_place(lua_State* L, int keys) {
  lua_pushvalue(L, 2);
  const Key wanted = read_key(L, 0);
  lua_pop(L, 1);
  lua_Integer low = 1, high = static_cast<lua_Integer>(lua_rawlen(L, keys)) + 1;
  while (low < high) {
    const lua_Integer middle = low + (high - low) / 2;
    lua_rawgeti(L, keys, middle);
    const bool below = less(read_key(L, 0), wanted);
    lua_pop(L, 1);
    if (below) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool key_is(lua_State* L, int keys, lua_Integer place) {
  lua_rawgeti(L, keys, place);
  const bool same = lua_rawequal(L, -1, 2) != 0;
  lua_pop(L, 1);
  return same;
}

/// Pushes the first key after `place` that still exists, and its value.
int next_from(lua_State* L, int traversals, int keys, lua_Integer place) {
  for (;;) {
    ++place;
    if (lua_rawgeti(L, keys, place) == LUA_TNIL) {  // the traversal has ended, so forget its keys
      lua_pushvalue(L, 1);
      lua_pushnil(L);
      lua_rawset(L, traversals);
      return 1;
    }
    lua_pushvalue(L, -1);
    if (lua_rawget(L, 1) != LUA_TNIL) break;
    lua_pop(L, 2);
    if ((place & 0xfff) == 0) LuaState::poll(L);
  }
  lua_pushinteger(L, place);
  lua_rawseti(L, keys, 0);
  return 2;
}

int push_keys(lua_State* L, int traversals) {
  const Shape shape = survey(L, 1);
  push_sorted_keys(L, 1, shape.keys);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -2);
  lua_rawset(L, traversals);
  return lua_gettop(L);
}

}  // namespace

int ordered_pairs(lua_State* L) {
  luaL_checkany(L, 1);
  LuaState::poll(L);
  if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 3, 0, return_three);
    return 3;
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  push_iterator(L, 1, false);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

void push_ordered_iterator(lua_State* L, int index) {
  index = lua_absindex(L, index);
  push_iterator(L, index, true);
}

int ordered_next(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, 16, "next");
  if (lua_isnil(L, 2)) {
    push_weak_table(L, &kTraversalsKey);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_rawset(L, 3);
    return first_key(L);
  }
  push_weak_table(L, &kTraversalsKey);  // index 3 maps a table to its sorted keys, whose [0] is the
                                        // current position
  lua_pushvalue(L, 1);
  lua_Integer place = 0;
  int keys = 4;
  if (lua_rawget(L, 3) == LUA_TTABLE) {
    lua_rawgeti(L, 4, 0);
    place = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (place != 0 && key_is(L, keys, place)) return next_from(L, 3, keys, place);
    place = find_place(L, keys);
    if (key_is(L, keys, place)) return next_from(L, 3, keys, place);
  }
  lua_settop(L, 3);
  keys = push_keys(L, 3);
  place = find_place(L, keys);
  return next_from(L, 3, keys, key_is(L, keys, place) ? place : place - 1);
}

}  // namespace moonlet
