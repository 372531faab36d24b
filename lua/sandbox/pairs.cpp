// pairs and next in a fixed order, so that a run can be replayed: numbers ascending, then texts
// bytewise, then false, true, and all other keys by their numbers (the order in which they were
// first asked for). A traversal goes over the keys that were there when it began; those that have
// gone meanwhile are passed over, and it may change the table as it likes.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "lua/sandbox/sandbox.h"
#include "lua/vm/guard.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

const char kTraversalsKey = 0;
const char kOrdersKey = 0;

constexpr int kFewKeys = 200;  // they fit into the upvalues of the iterator
constexpr int kFixedUpvalues = 4;
constexpr std::size_t kMostRemembered = 20'000;  // keys of a table whose order is remembered

// Beside the keys, their table holds what it was made from.
constexpr lua_Integer kPrintPlace = -1;
constexpr lua_Integer kBeforePlace = -2;

struct Key {
  enum class Rank : std::uint8_t { kInteger, kFloat, kText, kOther };
  Rank rank;
  std::uint32_t place;  // where the key lies
  union {
    lua_Integer integer;  // kInteger, and the number of kOther
    lua_Number number;
    struct {
      const char* data;
      std::size_t size;
    } text;
  };
};

/// A float that is a key is infinite, or no whole number, or beyond all integers.
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

/// Reads the key at the top of the stack, which keeps a text alive as long as it lies somewhere.
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

/// Sorts by merging; looks at the kill, and leaves with everything in memory of Lua's.
void sort_keys(lua_State* L, Key* keys, Key* spare, std::size_t count) {
  Key* const result = keys;
  for (std::size_t width = 1; width < count; width *= 2) {
    for (std::size_t low = 0; low < count; low += 2 * width) {
      if ((low & 0xfff) == 0) LuaState::poll(L);
      const std::size_t middle = std::min(low + width, count);
      const std::size_t high = std::min(low + 2 * width, count);
      std::merge(keys + low, keys + middle, keys + middle, keys + high, spare + low, less);
    }
    std::swap(keys, spare);
  }
  if (keys != result) std::copy(keys, keys + count, result);
}

/// A table's keys: 1 … `run` without a hole, and `others` beside them.
struct Shape {
  lua_Integer run = 0;
  std::size_t others = 0;
  lua_Unsigned print = 0;  // of the others, in whatever order they come
};

/// Tells one key from another while the same table is looked at: texts by their place in memory.
lua_Unsigned fingerprint(lua_State* L) {
  lua_Unsigned bits = reinterpret_cast<std::uintptr_t>(lua_topointer(L, -1));
  if (lua_type(L, -1) == LUA_TNUMBER) {
    const lua_Number number = lua_tonumber(L, -1);
    if (lua_isinteger(L, -1)) {
      bits = static_cast<lua_Unsigned>(lua_tointeger(L, -1));
    } else {
      std::memcpy(&bits, &number, sizeof bits);
    }
  }
  bits = (bits ^ (bits >> 31)) * 0x9e3779b97f4a7c15u + static_cast<lua_Unsigned>(lua_type(L, -1));
  return (bits ^ (bits >> 29)) * 0xbf58476d1ce4e5b9u;
}

/// Counts the keys of the table at `table`. Up to kFewKeys of the others are left on the stack;
/// when there are more, none is.
Shape survey(lua_State* L, int table) {
  luaL_checkstack(L, kFewKeys + 8, "pairs");
  Shape shape;
  const int base = lua_gettop(L);
  std::uint32_t seen = 0;
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    if ((++seen & 0xfff) == 0) LuaState::poll(L);
    lua_pop(L, 1);
    if (lua_isinteger(L, -1) && lua_tointeger(L, -1) == shape.run + 1) {
      ++shape.run;
    } else {
      shape.print += fingerprint(L);
      if (++shape.others <= kFewKeys) {
        lua_pushvalue(L, -1);  // one stays, the other is for lua_next
      } else if (shape.others == kFewKeys + 1) {
        lua_replace(L, base + 1);
        lua_settop(L, base + 1);
      }
    }
  }
  return shape;
}

// The iterator is a closure: upvalue 1 is its place among the keys, 2 how many keys come before the
// run, 3 the length of the run, 4 the table of the keys, or nil when they are the last upvalues.
// step_own has the table that it reads in upvalue 5.

int step_in(lua_State* L, int table, int first_key) {
  lua_Integer at = lua_tointeger(L, lua_upvalueindex(1));
  const lua_Integer low = lua_tointeger(L, lua_upvalueindex(2));
  const lua_Integer run = lua_tointeger(L, lua_upvalueindex(3));
  const bool many = lua_istable(L, lua_upvalueindex(4));
  lua_settop(L, 1);
  for (;; lua_settop(L, 1)) {
    ++at;
    if (at > low && at <= low + run) {
      lua_pushinteger(L, at - low);
    } else {
      const lua_Integer key = at <= low ? at : at - run;
      if (many) {
        lua_rawgeti(L, lua_upvalueindex(4), key);
      } else {
        const lua_Integer upvalue = first_key + key - 1;
        if (upvalue > 255) {
          lua_pushnil(L);
        } else {
          lua_pushvalue(L, lua_upvalueindex(static_cast<int>(upvalue)));
        }
      }
      if (lua_type(L, -1) <= LUA_TNIL) {  // behind the last one
        lua_settop(L, 1);
        lua_pushnil(L);
        return 1;
      }
    }
    lua_pushvalue(L, -1);
    if (lua_rawget(L, table) != LUA_TNIL) break;
    if ((at & 0xfff) == 0) LuaState::poll(L);
  }
  lua_pushinteger(L, at);
  lua_replace(L, lua_upvalueindex(1));
  return 2;
}

int step_given(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  return step_in(L, 1, kFixedUpvalues + 1);
}

/// Reads the table in upvalue 5, whatever it is called with.
int step_own(lua_State* L) {
  lua_settop(L, 1);
  return step_in(L, lua_upvalueindex(5), kFixedUpvalues + 2);
}

/// The case of a small record: upvalue 1 is the place, the keys are the upvalues behind it.
int step_record(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int at = static_cast<int>(lua_tointeger(L, lua_upvalueindex(1)));
  lua_settop(L, 1);
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

/// The fast case: nothing but a run, and the last key is all the place there is.
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

bool breaks_run(const Key& key, lua_Integer run) {
  return key.rank == Key::Rank::kFloat && key.number > 1 &&
         key.number < static_cast<lua_Number>(run);
}

std::size_t count_before_run(const Key* keys, std::size_t count) {
  std::size_t before = 0;
  while (before < count &&
         ((keys[before].rank == Key::Rank::kInteger && keys[before].integer < 1) ||
          (keys[before].rank == Key::Rank::kFloat && keys[before].number < 1))) {
    ++before;
  }
  return before;
}

void push_fixed_upvalues(lua_State* L, std::size_t before, lua_Integer run) {
  lua_pushinteger(L, 0);
  lua_pushinteger(L, static_cast<lua_Integer>(before));
  lua_pushinteger(L, run);
}

/// The others lie on the stack from `base` + 1 on.
bool push_few(lua_State* L, int base, const Shape& shape, int own_table) {
  Key keys[kFewKeys];
  const auto count = static_cast<std::uint32_t>(shape.others);
  for (std::uint32_t i = 0; i < count; ++i) {
    const int place = base + 1 + static_cast<int>(i);
    lua_pushvalue(L, place);
    keys[i] = read_key(L, static_cast<std::uint32_t>(place));
    lua_pop(L, 1);
    if (breaks_run(keys[i], shape.run)) return false;
  }
  std::sort(keys, keys + count, less);
  luaL_checkstack(L, static_cast<int>(count) + 8, "pairs");
  if (shape.run == 0 && own_table == 0) {
    lua_pushinteger(L, 0);
    for (std::uint32_t i = 0; i < count; ++i) lua_pushvalue(L, static_cast<int>(keys[i].place));
    lua_pushcclosure(L, guard<step_record>, 1 + static_cast<int>(count));
    return true;
  }
  push_fixed_upvalues(L, count_before_run(keys, count), shape.run);
  lua_pushnil(L);
  if (own_table != 0) lua_pushvalue(L, own_table);
  for (std::uint32_t i = 0; i < count; ++i) lua_pushvalue(L, static_cast<int>(keys[i].place));
  const int upvalues = kFixedUpvalues + (own_table != 0 ? 1 : 0) + static_cast<int>(count);
  lua_pushcclosure(L, own_table != 0 ? guard<step_own> : guard<step_given>, upvalues);
  return true;
}

/// Pushes a table with the keys in order: all of them, or those beside the run. Returns how many
/// come before the run.
std::size_t push_sorted_keys(lua_State* L, int table, lua_Integer run, std::size_t count) {
  luaL_checkstack(L, 8, "pairs");
  lua_createtable(L, static_cast<int>(std::min<std::size_t>(count, 1 << 28)), 0);
  const int found = lua_gettop(L);
  auto* keys = static_cast<Key*>(lua_newuserdatauv(L, 2 * sizeof(Key) * (count + 1), 0));
  std::size_t used = 0;
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    lua_pop(L, 1);
    if ((used & 0xfff) == 0) LuaState::poll(L);
    if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1 && lua_tointeger(L, -1) <= run) continue;
    keys[used] = read_key(L, static_cast<std::uint32_t>(used + 1));
    ++used;
    lua_pushvalue(L, -1);
    lua_rawseti(L, found, static_cast<lua_Integer>(used));
  }
  sort_keys(L, keys, keys + used, used);
  lua_createtable(L, static_cast<int>(std::min<std::size_t>(used, 1 << 28)), 0);
  for (std::size_t i = 0; i < used; ++i) {
    if ((i & 0xfff) == 0) LuaState::poll(L);
    lua_rawgeti(L, found, keys[i].place);
    lua_rawseti(L, -2, static_cast<lua_Integer>(i + 1));
  }
  const std::size_t before = count_before_run(keys, used);
  lua_replace(L, found);
  lua_settop(L, found);
  return before;
}

/// Pushes a table with weak keys that the registry keeps.
void push_cache(lua_State* L, const char* key) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

/// push_sorted_keys, or what it gave the last time when the table still has the same keys.
std::size_t push_known_keys(lua_State* L, int table, const Shape& shape) {
  if (shape.others > kMostRemembered) return push_sorted_keys(L, table, shape.run, shape.others);
  push_cache(L, &kOrdersKey);
  const auto print = static_cast<lua_Integer>(shape.print + static_cast<lua_Unsigned>(shape.run));
  lua_pushvalue(L, table);
  if (lua_rawget(L, -2) == LUA_TTABLE) {
    lua_rawgeti(L, -1, kPrintPlace);
    lua_rawgeti(L, -2, kBeforePlace);
    const bool same = lua_tointeger(L, -2) == print && lua_rawlen(L, -3) == shape.others;
    const auto before = static_cast<std::size_t>(lua_tointeger(L, -1));
    lua_pop(L, 2);
    if (same) {
      lua_remove(L, -2);
      return before;
    }
  }
  lua_pop(L, 1);
  const std::size_t before = push_sorted_keys(L, table, shape.run, shape.others);
  lua_pushinteger(L, print);
  lua_rawseti(L, -2, kPrintPlace);
  lua_pushinteger(L, static_cast<lua_Integer>(before));
  lua_rawseti(L, -2, kBeforePlace);
  lua_pushvalue(L, table);
  lua_pushvalue(L, -2);
  lua_rawset(L, -4);
  lua_remove(L, -2);
  return before;
}

void push_many(lua_State* L, int table, Shape shape, int own_table) {
  std::size_t before = push_known_keys(L, table, shape);
  if (shape.run > 0) {
    // A float in the run: rare enough to take all keys one by one.
    bool broken = false;
    for (lua_Integer i = static_cast<lua_Integer>(before) + 1; !broken; ++i) {
      if (lua_rawgeti(L, -1, i) != LUA_TNUMBER) {
        lua_pop(L, 1);
        break;
      }
      broken = breaks_run(read_key(L, 0), shape.run);
      lua_pop(L, 1);
    }
    if (broken) {
      lua_pop(L, 1);
      shape.others += static_cast<std::size_t>(shape.run);
      shape.run = 0;
      before = push_sorted_keys(L, table, 0, shape.others);
    }
  }
  push_fixed_upvalues(L, before, shape.run);
  lua_rotate(L, -4, 3);  // the keys come fourth
  if (own_table != 0) lua_pushvalue(L, own_table);
  lua_pushcclosure(L, own_table != 0 ? guard<step_own> : guard<step_given>,
                   kFixedUpvalues + (own_table != 0 ? 1 : 0));
}

void push_iterator(lua_State* L, int table, int own_table) {
  const int base = lua_gettop(L);
  const Shape shape = survey(L, table);
  if (shape.others == 0 && own_table == 0) {
    lua_pushinteger(L, shape.run);
    lua_pushcclosure(L, guard<step_run>, 1);
    return;
  }
  if (shape.others > kFewKeys || !push_few(L, base, shape, own_table)) {
    lua_settop(L, base);
    push_many(L, table, shape, own_table);
    return;
  }
  if (lua_gettop(L) == base + 1) return;
  lua_replace(L, base + 1);
  lua_settop(L, base + 1);
}

int return_three(lua_State*, int, lua_KContext) { return 3; }

// --- next
// --------------------------------------------------------------------------------------------

/// The least key; nil when the table is empty.
int first_key(lua_State* L) {
  lua_settop(L, 1);
  lua_pushnil(L);
  if (lua_next(L, 1) == 0) {
    lua_pushnil(L);
    return 1;
  }
  lua_pop(L, 1);  // 2: the least so far, 3: the current one
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

/// The place in the sorted keys at `keys` of the first one that is not below the key at 2.
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

/// Gives the first key behind `place` that is still there, with its value.
int next_from(lua_State* L, int traversals, int keys, lua_Integer place) {
  for (;;) {
    ++place;
    if (lua_rawgeti(L, keys, place) == LUA_TNIL) {  // over: forget it
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
  lua_settop(L, traversals);
  push_sorted_keys(L, 1, 0, shape.others + static_cast<std::size_t>(shape.run));
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
  push_iterator(L, 1, 0);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

void push_ordered_iterator(lua_State* L, int index) {
  index = lua_absindex(L, index);
  push_iterator(L, index, index);
}

int ordered_next(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, 16, "next");
  if (lua_isnil(L, 2)) {
    push_cache(L, &kTraversalsKey);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_rawset(L, 3);
    return first_key(L);
  }
  push_cache(L, &kTraversalsKey);  // 3: table -> its keys in order, [0] = the place of the last one
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
