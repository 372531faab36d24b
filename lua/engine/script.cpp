// core.script loads Lua code: modules of the standard library, which are embedded in the executable
// and loaded once, and scripts from text, each with an environment of its own.
#include <cstring>
#include <string_view>

#include "lua/core/core.h"
#include "lua/engine/embedded.h"
#include "lua/engine/script.h"
#include "lua/sandbox/sandbox.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

const char kLoadedKey = 0;

const EmbeddedFile* find(const EmbeddedFile* list, std::string_view name) {
  for (; list->name != nullptr; ++list) {
    if (list->name == name) return list;
  }
  return nullptr;
}

/// Writes the file name of a module: "moonlet" is in "init.lua", "moonlet.engine.run.run" in
/// "engine/run/run.lua". Returns its length, or 0 if the name is not a module's.
std::size_t module_file(std::string_view name, char (&file)[128]) {
  constexpr std::string_view kPrefix = "moonlet";
  if (name == kPrefix) return static_cast<std::size_t>(std::strlen(std::strcpy(file, "init.lua")));
  if (name.size() > 100 || name.substr(0, kPrefix.size() + 1) != "moonlet.") return 0;
  name.remove_prefix(kPrefix.size() + 1);
  std::size_t used = 0;
  for (char c : name) file[used++] = c == '.' ? '/' : c;
  std::memcpy(file + used, ".lua", 5);
  return used + 4;
}

/// Implements the function `require` of the standard library's modules.
int require_module(lua_State* L) {
  const std::string_view name = check_text(L, 1);
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kLoadedKey);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, 2) != LUA_TNIL) return 1;
  lua_pop(L, 1);
  char file[128];
  const std::size_t length = module_file(name, file);
  const EmbeddedFile* module =
      length == 0 ? nullptr : find(embedded_modules(), std::string_view(file, length));
  if (module == nullptr) {
    return raise(L, ErrorKind::kInvalid, lua_pushfstring(L, "no module '%s'", name.data()));
  }
  if (luaL_loadbufferx(L, module->bytes.data(), module->bytes.size(), file, "b") != LUA_OK) {
    return lua_error(L);
  }
  push_module_environment(L, std::string_view(file, length).starts_with("engine/"));
  lua_setupvalue(L, -2, 1);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -2);
  lua_rawset(L, 2);
  return 1;
}

int return_top(lua_State*, int, lua_KContext) { return 1; }

/// The __index of a script's environment. Calls upvalue 1 with (key, environment), which may yield.
int missing_global(lua_State* L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 1);
  lua_callk(L, 2, 1, 0, return_top);
  return 1;
}

/// The __newindex of a script's environment. Accepts functions that the file's main chunk defines.
/// Calls upvalue 1, which raises an error, for all other new globals.
int new_global(lua_State* L) {
  lua_settop(L, 3);
  lua_Debug frame;
  if (lua_isfunction(L, 3) && lua_getstack(L, 1, &frame) != 0) {
    lua_getinfo(L, "S", &frame);
    if (std::strcmp(frame.what, "main") == 0) {
      lua_rawset(L, 1);
      return 0;
    }
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 3, 0);
  return 0;
}

/// Pushes a new environment for a script. The table at stack index `globals` has additional
/// globals. At `globals` + 1 and `globals` + 2 are the functions on_missing and on_new of load(),
/// or nil.
void push_environment(lua_State* L, int globals) {
  push_script_environment(L);
  const int environment = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, globals) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, environment);
  }
  if (lua_isnil(L, globals + 1)) return;
  lua_createtable(L, 0, 3);
  lua_pushvalue(L, globals + 1);
  lua_pushcclosure(L, missing_global, 1);
  lua_setfield(L, -2, "__index");
  lua_pushvalue(L, globals + 2);
  lua_pushcclosure(L, new_global, 1);
  lua_setfield(L, -2, "__newindex");
  set_flag(L, "__metatable", 0);
  lua_setmetatable(L, environment);
}

/// Compiles the text at stack index `text`, whose chunk name follows it, with the environment at
/// the top of the stack. Pushes the main function, or nil and an error.
int load_at(lua_State* L, int text) {
  const std::string_view source = check_text(L, text);
  if (load_text(L, source.data(), source.size(), luaL_checkstring(L, text + 1))) return 1;
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/// load(text, chunk_name, globals [, on_missing, on_new]) compiles a script.
/// Returns its main function, or nil and an error. `globals` has additional globals.
/// on_missing(name, environment) is called for a global that does not exist, and returns its value.
/// on_new(environment, name, value) is called for a new global, and raises an error.
int script_load(lua_State* L) {
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 5);
  push_environment(L, 3);
  return load_at(L, 1);
}

/// environment(globals [, on_missing, on_new]) returns a new environment for load_in(); see load()
int script_environment(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 3);
  push_environment(L, 1);
  return 1;
}

/// load_in(environment, text, chunk_name) compiles a script. Returns its main function, or nil and
/// an error
int script_load_in(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushvalue(L, 1);
  return load_at(L, 2);
}

/// interrupt_first(on): if `on` is true, a script at its time limit gets an error, and Lua is
/// killed only if the script continues
int script_interrupt_first(lua_State* L) {
  LuaState::of(L).interrupt_first(lua_toboolean(L, 1) != 0);
  return 0;
}

/// load_preset(file, globals [, on_missing, on_new]) loads a Lua file of a built-in preset, such as
/// "NAME/init.lua"; see load().
/// Returns its main function; no value if the file does not exist.
int script_load_preset(lua_State* L) {
  const std::string_view name = check_text(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 4);
  const EmbeddedFile* file = find(embedded_preset_code(), name);
  if (file == nullptr) return 0;
  if (luaL_loadbufferx(L, file->bytes.data(), file->bytes.size(), file->name, "b") != LUA_OK) {
    return lua_error(L);
  }
  push_environment(L, 2);
  lua_setupvalue(L, -2, 1);
  return 1;
}

/// presets() returns the names of all files of the built-in presets
int script_presets(lua_State* L) {
  lua_newtable(L);
  lua_Integer count = 0;
  for (const EmbeddedFile* file = embedded_presets(); file->name != nullptr; ++file) {
    lua_pushstring(L, file->name);
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

/// preset_file(name) returns the text of a file of a built-in preset; no value if it does not exist
int script_preset_file(lua_State* L) {
  const EmbeddedFile* file = find(embedded_presets(), check_text(L, 1));
  if (file == nullptr) return 0;
  lua_pushlstring(L, file->bytes.data(), file->bytes.size());
  return 1;
}

int push_texts(lua_State* L, const EmbeddedFile* file) {
  lua_newtable(L);
  for (; file->name != nullptr; ++file) {
    lua_pushlstring(L, file->bytes.data(), file->bytes.size());
    lua_setfield(L, -2, file->name);
  }
  return 1;
}

/// tests() returns the tests of the built-in presets as {file = text}
int script_tests(lua_State* L) { return push_texts(L, embedded_tests()); }

/// notes() returns the annotations of the public library's modules as {file = text}
int script_notes(lua_State* L) { return push_texts(L, embedded_notes()); }

}  // namespace

void open_modules(lua_State* L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kLoadedKey);
  for (bool internal : {false, true}) {
    push_module_environment(L, internal);
    lua_pushcfunction(L, guard<require_module>);
    lua_setfield(L, -2, "require");
    lua_pop(L, 1);
  }
}

const luaL_Reg kCoreScript[] = {
    {"environment", guard<script_environment>},
    {"load_in", guard<script_load_in>},
    {"load", guard<script_load>},
    {"interrupt_first", guard<script_interrupt_first>},
    {"load_preset", guard<script_load_preset>},
    {"presets", guard<script_presets>},
    {"preset_file", guard<script_preset_file>},
    {"tests", guard<script_tests>},
    {"notes", guard<script_notes>},
    {nullptr, nullptr},
};

}  // namespace moonlet
