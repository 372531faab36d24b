#include "lua/sandbox.h"

#include <cstring>

#include "lua/error.h"
#include "lua/guard.h"
#include "lua/lib.h"
#include "lua/value.h"

namespace moonlet {

namespace {

const char kCoreKey = 0;
const char kScriptLibrariesKey = 0;
const char kModuleEnvironmentKey[2] = {};

/// Functions of the base library that a script may have as they are.
constexpr const char* kPlainBase[] = {
    "assert", "error",    "ipairs", "next",   "pcall", "xpcall", "select",   "tonumber",
    "type",   "rawequal", "rawlen", "rawget", "pairs", "rawset", "tostring", "getmetatable"};

void open_library(lua_State* L, const char* name, lua_CFunction open) {
  luaL_requiref(L, name, open, 1);
  lua_pop(L, 1);
}

/// A finalizer of a script's would run at any moment and could not be stopped: refuse it, also as a
/// field that is filled in later (Lua looks at __gc only when the metatable is set).
int safe_setmetatable(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, lua_isnoneornil(L, 2) || lua_istable(L, 2), 2, "nil or table");
  lua_settop(L, 2);
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) {
    return luaL_error(L, "cannot change a protected metatable");
  }
  if (lua_istable(L, 2)) {
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) != LUA_TNIL) {
      return raise(L, ErrorKind::kDenied, "a metatable with __gc is refused",
                   "to clean up, call ctx:finally(fn)");
    }
    lua_pop(L, 1);
  }
  lua_setmetatable(L, 1);
  return 1;
}

/// load(chunk [, name [, mode [, env]]]): text only, in the environment of the script by default.
int safe_load(lua_State* L) {
  std::size_t size = 0;
  const char* text = nullptr;
  lua_settop(L, 4);
  if (lua_type(L, 1) == LUA_TSTRING) {
    text = lua_tolstring(L, 1, &size);
  } else {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (;;) {
      lua_pushvalue(L, 1);
      lua_call(L, 0, 1);
      std::size_t piece = 0;
      if (lua_isnil(L, -1)) break;
      if (lua_type(L, -1) != LUA_TSTRING)
        return luaL_error(L, "reader function must return a string");
      lua_tolstring(L, -1, &piece);
      if (piece == 0) break;
      size += piece;
      if (size > (std::size_t{1} << 20)) return luaL_error(L, "chunk longer than 1 MB");
      luaL_addvalue(&buffer);
    }
    lua_pop(L, 1);
    luaL_pushresult(&buffer);
    text = lua_tolstring(L, -1, &size);
  }
  if (size > (std::size_t{1} << 20)) return luaL_error(L, "chunk longer than 1 MB");
  const char* name = luaL_optstring(L, 2, "=(load)");
  lua_pushvalue(L, lua_isnoneornil(L, 4) ? lua_upvalueindex(1) : 4);
  if (load_text(L, text, size, name)) return 1;
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

int only_count(lua_State* L) {
  const char* what = luaL_optstring(L, 1, "count");
  if (std::strcmp(what, "count") != 0) {
    return raise(L, ErrorKind::kDenied, "collectgarbage answers only \"count\" here");
  }
  lua_pushinteger(L, lua_gc(L, LUA_GCCOUNT));
  return 1;
}

/// Copies library `name` from the globals into the table at the top.
void copy_library(lua_State* L, const char* name) {
  lua_newtable(L);
  lua_getglobal(L, name);
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_settable(L, -5);
  }
  lua_pop(L, 1);
}

int refuse_write(lua_State* L) {
  return raise(L, ErrorKind::kDenied, "the libraries are read-only",
               "keep functions of your own in a table of your own");
}

/// Replaces the table at the top by a read-only view of it.
void freeze(lua_State* L) {
  lua_newtable(L);  // the view
  lua_createtable(L, 0, 3);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, refuse_write);
  lua_setfield(L, -2, "__newindex");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

void protect_strings(lua_State* L) {
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_getglobal(L, "string");
  freeze(L);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
}

void build_script_libraries(lua_State* L) {
  lua_newtable(L);
  for (const char* name : kPlainBase) {
    lua_getglobal(L, name);
    lua_setfield(L, -2, name);
  }
  lua_pushcfunction(L, guard<safe_setmetatable>);
  lua_setfield(L, -2, "setmetatable");
  lua_pushcfunction(L, guard<only_count>);
  lua_setfield(L, -2, "collectgarbage");
  for (const char* name : {"string", "table", "math", "utf8", "coroutine"}) {
    copy_library(L, name);
    freeze(L);
    lua_setfield(L, -2, name);
  }
  lua_pushliteral(L, "Lua 5.4");
  lua_setfield(L, -2, "_VERSION");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kScriptLibrariesKey);
}

void build_module_environments(lua_State* L) {
  push_core(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kCoreKey);
  for (int internal = 0; internal <= 1; ++internal) {
    lua_newtable(L);
    lua_pushglobaltable(L);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_settable(L, -5);
    }
    lua_pop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kCoreKey);
    if (internal == 0) {
      lua_createtable(L, 0, 2);
      for (const char* harmless : {"json", "text"}) {
        lua_getfield(L, -2, harmless);
        lua_setfield(L, -2, harmless);
      }
      lua_remove(L, -2);
    }
    lua_setfield(L, -2, "core");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kModuleEnvironmentKey[internal]);
  }
}

}  // namespace

void open_sandbox(lua_State* L) {
  open_library(L, LUA_GNAME, luaopen_base);
  open_library(L, LUA_STRLIBNAME, luaopen_string);
  open_library(L, LUA_TABLIBNAME, luaopen_table);
  open_library(L, LUA_MATHLIBNAME, luaopen_math);
  open_library(L, LUA_UTF8LIBNAME, luaopen_utf8);
  open_library(L, LUA_COLIBNAME, luaopen_sandbox_coroutine);
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (const char* name : {"dofile", "loadfile", "load", "print", "warn"}) {
    lua_pushnil(L);
    lua_setglobal(L, name);
  }
  lua_getglobal(L, "string");
  lua_pushnil(L);
  lua_setfield(L, -2, "dump");
  lua_pop(L, 1);
  open_errors(L);
  open_values(L);
  protect_strings(L);
  build_module_environments(L);
  build_script_libraries(L);
}

void push_script_environment(lua_State* L) {
  lua_newtable(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kScriptLibrariesKey);
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_settable(L, -5);
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, guard<safe_load>, 1);
  lua_setfield(L, -2, "load");
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
}

void push_module_environment(lua_State* L, bool internal) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kModuleEnvironmentKey[internal ? 1 : 0]);
}

bool load_text(lua_State* L, const char* text, std::size_t size, const char* chunk_name) {
  if (luaL_loadbufferx(L, text, size, chunk_name, "t") != LUA_OK) {
    lua_remove(L, -2);
    return false;
  }
  lua_insert(L, -2);
  if (lua_setupvalue(L, -2, 1) == nullptr) lua_pop(L, 1);  // a chunk always has _ENV
  return true;
}

}  // namespace moonlet
