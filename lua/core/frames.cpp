// core.frames reads the stack frames of scripts, for error messages.
#include <cstring>

#include "lua/core/core.h"
#include "lua/vm/guard.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

constexpr int kMostFrames = 12;

/// Returns true for a frame of a script. Chunk names of scripts begin with '@', those of the
/// standard library do not.
bool is_of_script(const lua_Debug& frame) {
  return frame.source[0] == '@' && frame.currentline > 0;
}

/// Pushes a readable name for a stack frame: "run", "the function of line 3" or "the file".
void push_title(lua_State* L, const lua_Debug& frame) {
  if (std::strcmp(frame.what, "main") == 0) {
    lua_pushliteral(L, "the file");
  } else if (frame.name != nullptr) {
    lua_pushstring(L, frame.name);
  } else {
    lua_pushfstring(L, "the function of line %d", frame.linedefined);
  }
}

/// stack() returns the frames of scripts as { {at, name}, … }, innermost first; nil if Lua was
/// killed
int frames_stack(lua_State* L) {
  if (LuaState::of(L).is_killed()) return 0;
  lua_newtable(L);
  lua_Debug frame;
  lua_Integer count = 0;
  for (int level = 1; count < kMostFrames && lua_getstack(L, level, &frame) != 0; ++level) {
    lua_getinfo(L, "Sln", &frame);
    if (!is_of_script(frame)) continue;
    lua_createtable(L, 0, 2);
    lua_pushfstring(L, "%s:%d", frame.short_src, frame.currentline);
    lua_setfield(L, -2, "at");
    push_title(L, frame);
    lua_setfield(L, -2, "name");
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

/// locals() returns the names of the variables that the innermost running script function can
/// access
int frames_locals(lua_State* L) {
  lua_newtable(L);
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame) != 0; ++level) {
    lua_getinfo(L, "Slf", &frame);
    if (!is_of_script(frame)) {
      lua_pop(L, 1);
      continue;
    }
    lua_Integer count = 0;
    const int function = lua_gettop(L);
    for (int i = 1; const char* name = lua_getlocal(L, &frame, i); ++i) {
      lua_pop(L, 1);
      if (name[0] == '(') continue;
      lua_pushstring(L, name);
      lua_rawseti(L, function - 1, ++count);
    }
    for (int i = 1; const char* name = lua_getupvalue(L, function, i); ++i) {
      lua_pop(L, 1);
      if (name[0] == '\0' || std::strcmp(name, "_ENV") == 0) continue;
      lua_pushstring(L, name);
      lua_rawseti(L, function - 1, ++count);
    }
    lua_settop(L, function - 1);
    break;
  }
  return 1;
}

int kept_return(lua_State* L, int, lua_KContext) { return lua_gettop(L); }

/// Calls the function in upvalue 1 with all arguments. This is a C function, because in a tail call
/// to a C function Lua keeps the caller's stack frame.
int kept_call(lua_State* L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, kept_return);
  return lua_gettop(L);
}

/// keep(fn) returns a function that calls `fn`. If a script calls that function with a tail call,
/// the script's frame stays on the stack, so that an error message can name its line.
int frames_keep(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushcclosure(L, kept_call, 1);
  return 1;
}

/// Implements the function that closed() returns. If a script reads a missing field, calls the
/// function in upvalue 1.
int closed_index(lua_State* L) {
  lua_Debug frame;
  if (lua_getstack(L, 1, &frame) == 0) return 0;
  lua_getinfo(L, "Sl", &frame);
  if (!is_of_script(frame)) return 0;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return 1;
}

/// closed(fn) returns a function for __index. If a script reads a missing field, it returns
/// fn(table, key). If the standard library reads one, it returns nil, because the library may test
/// whether a field exists.
int frames_closed(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushcclosure(L, closed_index, 1);
  return 1;
}

/// lines(fn) returns the file, first line and last line of a script's function.
/// Returns no value for a function of the standard library or of C++.
int frames_lines(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_Debug frame;
  lua_settop(L, 1);
  lua_getinfo(L, ">S", &frame);
  if (frame.source[0] != '@') return 0;
  lua_pushstring(L, frame.short_src);
  lua_pushinteger(L, frame.linedefined);
  lua_pushinteger(L, frame.lastlinedefined);
  return 3;
}

}  // namespace

const luaL_Reg kCoreFrames[] = {
    {"stack", guard<frames_stack>}, {"locals", guard<frames_locals>}, {"keep", guard<frames_keep>},
    {"lines", guard<frames_lines>}, {"closed", guard<frames_closed>}, {nullptr, nullptr},
};

}  // namespace moonlet
