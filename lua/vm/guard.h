// guard<fn> wraps a C++ function that Lua calls. Each such function must be wrapped, because a C++
// exception must not pass through Lua. lua_error may be a longjmp, which skips destructors. So an
// object that owns memory must be in a box: a userdata that the garbage collector destroys. Create
// each box before any call that may raise an error.
#pragma once

#include <cstdio>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Calls `fn` and turns a std::exception into a Lua error.
/// If Lua was compiled as C++, its errors are exceptions of another type, which pass through.
template <int (*fn)(lua_State*)>
int guard(lua_State* L) {
  char text[256];
  try {
    return fn(L);
  } catch (const std::exception& e) {
    std::snprintf(text, sizeof text, "internal error: %s", e.what());
  }
  return luaL_error(L, "%s", text);
}

/// Returns the string at `index`. It is valid as long as it is on the stack.
/// Raises an error if the value is neither a string nor a number.
inline std::string_view check_text(lua_State* L, int index) {
  std::size_t size = 0;
  const char* data = luaL_checklstring(L, index, &size);
  return {data, size};
}

namespace detail {

template <typename T>
int destroy_box(lua_State* L) {
  static_cast<T*>(lua_touserdata(L, 1))->~T();
  // Remove the finalizer, so that a second call of __gc does not destroy the object again.
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  return 0;
}

template <typename T>
inline const char box_key = 0;

}  // namespace detail

/// Pushes a userdata that contains a T, and returns the T. The garbage collector destroys the T.
/// Scripts can neither access the userdata's metatable nor call its finalizer.
template <typename T, typename... Args>
T& push_box(lua_State* L, Args&&... args) {
  void* memory = lua_newuserdatauv(L, sizeof(T), 1);
  // Get the metatable before the T is constructed, because this may raise an error.
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &detail::box_key<T>) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, detail::destroy_box<T>);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &detail::box_key<T>);
  }
  T* object = new (memory) T(std::forward<Args>(args)...);
  lua_setmetatable(L, -2);
  return *object;
}

/// Returns the T in the box at `index`, or nullptr if the value is not a box with a T.
template <typename T>
T* to_box(lua_State* L, int index) {
  void* memory = lua_touserdata(L, index);
  if (memory == nullptr || !lua_getmetatable(L, index)) return nullptr;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &detail::box_key<T>);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same ? static_cast<T*>(memory) : nullptr;
}

}  // namespace moonlet
