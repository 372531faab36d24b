#include "lua/sandbox/sandbox.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "host/validation/schema/error.h"
#include "lua/core/core.h"
#include "lua/sandbox/null.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/lost.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

const char kCoreKey = 0;
const char kScriptLibrariesKey = 0;
const char kModuleEnvironmentKey[2] = {};

constexpr std::size_t kLongestChunk = std::size_t{1} << 20;

struct Source {
  const char* at;
  const char* end;
};

/// Gives the parser the text in small pieces, because a kill can stop it only between pieces.
const char* read_piece(lua_State* L, void* data, std::size_t* size) {
  LuaState::poll(L);
  auto& source = *static_cast<Source*>(data);
  constexpr std::ptrdiff_t kPiece = 256;
  const char* piece = source.at;
  *size = static_cast<std::size_t>(std::min(kPiece, source.end - source.at));
  source.at += *size;
  return piece;
}

/// Returns true if a text has so many jumps (goto, break) that Lua's parser would block the host.
/// The parser needs quadratic time for them and cannot be interrupted. Real programs have fewer
/// jumps.
bool has_many_jumps(std::string_view text) {
  constexpr std::size_t kMost = 8000;
  std::size_t count = 0;
  for (std::string_view word : {"goto", "break"}) {
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at)) {
      if (++count > kMost) return true;
      at += word.size();
    }
  }
  return false;
}

/// Calls the reader function at stack index 1 until it returns no more, and pushes the concatenated
/// pieces.
void push_pieces(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  std::size_t size = 0;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (;;) {
    LuaState::poll(L);
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) break;
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "reader function must return a string");
    const std::size_t piece = lua_rawlen(L, -1);
    if (piece == 0) break;
    size += piece;
    if (size > kLongestChunk) luaL_error(L, "chunk longer than 1 MB");
    luaL_addvalue(&buffer);
  }
  lua_pop(L, 1);
  luaL_pushresult(&buffer);
}

/// load(chunk [, name [, mode [, env]]]): refuses bytecode. `env` is by default the script's
/// environment.
int script_load(lua_State* L) {
  lua_settop(L, 4);
  const char* mode = luaL_optstring(L, 3, "t");
  if (lua_type(L, 1) == LUA_TSTRING) {
    lua_pushvalue(L, 1);
  } else {
    push_pieces(L);
  }
  std::size_t size = 0;
  const char* text = lua_tolstring(L, 5, &size);
  const char* name = luaL_optstring(L, 2, lua_type(L, 1) == LUA_TSTRING ? text : "=(load)");
  lua_pushvalue(L, lua_isnil(L, 4) ? lua_upvalueindex(1) : 4);
  if (std::char_traits<char>::find(mode, std::char_traits<char>::length(mode), 't') == nullptr) {
    lua_pushnil(L);
    lua_pushliteral(L, "only text can be loaded");
    return 2;
  }
  if (load_text(L, text, size, name)) return 1;
  LuaState::poll(L);
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

int refuse_write(lua_State* L) {
  return raise(L, ErrorKind::kDenied, "the libraries are read-only",
               "keep functions of your own in a table of your own");
}

/// The __pairs of a frozen view. Upvalue 1 is the original table.
int view_pairs(lua_State* L) {
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  push_ordered_iterator(L, 2);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

/// Returns a hint for a function that scripts expect but the sandbox does not have; nullptr if
/// there is none.
const char* remedy(std::string_view library, std::string_view name) {
  struct Remedy {
    std::string_view library, name;
    const char* text;
  };
  constexpr Remedy kRemedies[] = {
      {"os", "execute", "start a program with ctx:exec { \"ls\", \"-l\" }"},
      {"os", "getenv",
       "a script sees no variables: hand them to programs and agents with needs.env"},
      {"os", "exit", "return from run, or raise with m.fail { message = … }"},
      {"os", "remove",
       "a script changes no files: ctx:exec { \"rm\", PATH } does, where rm is declared"},
      {"os", "rename",
       "a script changes no files: ctx:exec { \"mv\", A, B } does, where mv is declared"},
      {"os", "tmpname", "write a file of the run with ctx:write(name, text)"},
      {"debug", "", "scripts have only debug.traceback"},
      {"string", "split", "collect the parts of string.gmatch(text, \"[^,]+\")"},
      {"string", "trim", "write text:match \"^%s*(.-)%s*$\""},
      {"table", "keys", "collect them with pairs"},
      {"table", "getn", "write #list"},
  };
  for (const Remedy& one : kRemedies) {
    if (one.library == library && (one.name.empty() || one.name == name)) return one.text;
  }
  return nullptr;
}

/// The __index for fields that a library does not have. Upvalue 1 is the library's name. Raises an
/// error with a hint.
int library_miss(lua_State* L) {
  const char* library = lua_tostring(L, lua_upvalueindex(1));
  if (lua_type(L, 2) != LUA_TSTRING) return 0;
  const char* name = lua_tostring(L, 2);
  const char* hint = remedy(library, name);
  if (hint == nullptr) {
    auto& names = push_box<std::vector<std::string_view>>(L);
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
      if (lua_type(L, -2) == LUA_TSTRING) names.emplace_back(lua_tostring(L, -2));
      lua_pop(L, 1);
    }
    const std::string_view near = schema::near_name(name, names);
    hint = "Lua's manual lists what it has";
    if (!near.empty()) hint = lua_pushfstring(L, "did you mean '%s'?", near.data());
  }
  return raise(L, ErrorKind::kInvalid, lua_pushfstring(L, "%s has no '%s'", library, name), hint);
}

void open_global(lua_State* L, const char* name, lua_CFunction open) {
  lua_pushcfunction(L, open);
  lua_call(L, 0, 1);
  lua_setglobal(L, name);
}

/// Copies all fields of the table at `from` to the table at the top of the stack.
void copy_fields(lua_State* L, int from) {
  from = lua_absindex(L, from);
  lua_pushnil(L);
  while (lua_next(L, from) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

int refuse_random(lua_State* L) {
  return raise(L, ErrorKind::kDenied, "math.random is refused: a replay could not repeat it",
               "call ctx:random(low, high)");
}

void open_math(lua_State* L) {
  lua_pushcfunction(L, luaopen_math);
  lua_call(L, 0, 1);
  for (const char* name : {"random", "randomseed"}) {
    lua_pushcfunction(L, guard<refuse_random>);
    lua_setfield(L, -2, name);
  }
  lua_setglobal(L, "math");
}

/// Makes string methods use this sandbox's library, and hides the metatable of strings. The methods
/// need no frozen view, because scripts cannot access the table that has them.
void protect_strings(lua_State* L) {
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_getglobal(L, "string");
  lua_setfield(L, -2, "__index");
  set_flag(L, "__metatable", 0);
  lua_pop(L, 2);
}

void build_script_libraries(lua_State* L) {
  lua_pushcfunction(L, luaopen_sandbox_base);
  lua_call(L, 0, 1);
  for (const char* name : {"string", "table", "math", "utf8", "coroutine"}) {
    lua_getglobal(L, name);
    push_frozen_view(L, name);
    lua_setfield(L, -2, name);
  }
  constexpr luaL_Reg kOwn[] = {{"os", luaopen_sandbox_os}, {"debug", luaopen_sandbox_debug}};
  for (const luaL_Reg& library : kOwn) {
    lua_pushcfunction(L, library.func);
    lua_call(L, 0, 1);
    push_frozen_view(L, library.name);
    lua_setfield(L, -2, library.name);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kScriptLibrariesKey);
}

void build_module_environments(lua_State* L) {
  push_core(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kCoreKey);
  for (int internal = 0; internal <= 1; ++internal) {
    lua_newtable(L);
    lua_pushglobaltable(L);
    lua_insert(L, -2);
    copy_fields(L, -2);
    lua_remove(L, -2);
    set_module_base(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kCoreKey);
    if (internal == 0) {
      lua_createtable(L, 0, 2);
      for (const char* harmless : {"json", "text", "lost"}) {
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
  lua_pushcfunction(L, luaopen_base);
  lua_call(L, 0, 0);
  for (const char* name : {"dofile", "loadfile", "load", "print", "warn", "_G"}) {
    lua_pushnil(L);
    lua_setglobal(L, name);
  }
  open_global(L, "string", luaopen_sandbox_string);
  open_global(L, "table", luaopen_sandbox_table);
  open_global(L, "utf8", luaopen_sandbox_utf8);
  open_global(L, "coroutine", luaopen_sandbox_coroutine);
  open_math(L);
  open_errors(L);
  open_values(L);
  open_lost(L);
  open_null(L);
  protect_strings(L);
  build_module_environments(L);
  build_script_libraries(L);
}

void push_frozen_view(lua_State* L, const char* name) {
  lua_newtable(L);
  lua_createtable(L, 0, 5);
  // The view's __index is a copy of the library that raises an error for a missing field. Lua looks
  // up string methods in the library itself, where a missing field must be nil.
  lua_newtable(L);
  copy_fields(L, -4);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, name);
  lua_pushcclosure(L, guard<library_miss>, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, guard<refuse_write>);
  lua_setfield(L, -2, "__newindex");
  lua_pushvalue(L, -3);
  lua_pushcclosure(L, guard<view_pairs>, 1);
  lua_setfield(L, -2, "__pairs");
  set_flag(L, "__metatable", 0);
  mark_host_metatable(L, -1);
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

void push_script_environment(lua_State* L) {
  lua_createtable(L, 0, 36);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kScriptLibrariesKey);
  lua_insert(L, -2);
  copy_fields(L, -2);
  lua_remove(L, -2);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, guard<script_load>, 1);
  lua_setfield(L, -2, "load");
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
}

void push_module_environment(lua_State* L, bool internal) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kModuleEnvironmentKey[internal ? 1 : 0]);
}

bool load_text(lua_State* L, const char* text, std::size_t size, const char* chunk_name) {
  if (size > kLongestChunk) {
    lua_pop(L, 1);
    lua_pushliteral(L, "chunk longer than 1 MB");
    return false;
  }
  if (has_many_jumps({text, size})) {
    lua_pop(L, 1);
    lua_pushliteral(L, "chunk with too many jumps (goto, break)");
    return false;
  }
  Source source{text, text + size};
  if (lua_load(L, read_piece, &source, chunk_name, "t") != LUA_OK) {
    lua_remove(L, -2);
    return false;
  }
  lua_insert(L, -2);
  if (lua_setupvalue(L, -2, 1) == nullptr) lua_pop(L, 1);  // a chunk always has _ENV
  return true;
}

}  // namespace moonlet
