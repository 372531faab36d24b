// The trampoline between Lua and C++. lua_error may be a longjmp (Lua built as C), which skips
// destructors, and a C++ exception must not cross a lua_pcall. So: every bound function runs in
// guard<fn>, and whatever owns memory lives in a box, a userdata that was created first; arguments
// are checked before. Loop thread only. The keeper's guard is another thing: a process.
#pragma once

#include <cstdio>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "lua/vm/lua_api.h"

namespace moonlet {

/// A lua_CFunction that runs `fn` and turns a std::exception into a Lua error. Lua's own throw (of
/// a Lua built as C++) is no std::exception and passes through.
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

/// The text at `index`, which the stack keeps alive; raises for a value that is neither text nor a
/// number.
inline std::string_view check_text(lua_State* L, int index) {
  std::size_t size = 0;
  const char* data = luaL_checklstring(L, index, &size);
  return {data, size};
}

namespace detail {

template <typename T>
int destroy_box(lua_State* L) {
  static_cast<T*>(lua_touserdata(L, 1))->~T();
  // A second call, by whatever way, finds no finalizer.
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  return 0;
}

template <typename T>
inline const char box_key = 0;

}  // namespace detail

/// Pushes a userdata that owns a T and returns the T. It is destroyed by the garbage collector;
/// scripts can neither reach its metatable nor call its finalizer.
template <typename T, typename... Args>
T& push_box(lua_State* L, Args&&... args) {
  void* memory = lua_newuserdatauv(L, sizeof(T), 1);
  // The metatable comes first: pushing it may raise, and then there is no T yet.
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

/// The T of the box at `index`; nullptr when it is something else.
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
