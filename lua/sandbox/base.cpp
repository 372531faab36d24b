// Defines the base functions that differ from Lua's. Printed values show no memory addresses,
// print() writes to the run's log, raw access to the host's objects is refused, and metatables
// cannot have finalizers.
#include <algorithm>
#include <cstring>
#include <string>

#include "host/base/json.h"
#include "host/driver/run_driver.h"
#include "host/telemetry/event.h"
#include "host/telemetry/sink.h"
#include "lua/sandbox/sandbox.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

const char kHostKey = 0;
const char kNumbersKey = 0;

constexpr std::size_t kLongestLine = 16 << 10;

/// Functions of Lua's base library that scripts get unchanged.
constexpr const char* kPlain[] = {"getmetatable", "ipairs",   "rawequal", "rawlen",
                                  "select",       "tonumber", "type"};

/// error(message, level): calls Lua's error (upvalue 1), but replaces a nil message by a text, as
/// Lua 5.5 does.
int script_error(lua_State* L) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 2);
    lua_pushliteral(L, "a nil value was raised as an error");
    lua_replace(L, 1);
  }
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/// assert(value, message): calls Lua's assert (upvalue 1), but ignores a message that is nil.
int script_assert(lua_State* L) {
  if (!lua_toboolean(L, 1) && lua_gettop(L) == 2 && lua_isnil(L, 2)) lua_settop(L, 1);
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/// The message handler of an xpcall. Calls the script's handler (upvalue 1), but not after a kill
/// or during an interrupt. Lua disables hooks in a message handler, so the script's handler could
/// not be stopped.
int handle_message(lua_State* L) {
  lua_settop(L, 1);
  if (LuaState::of(L).is_killed() || LuaState::of(L).is_interrupted()) return 1;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/// xpcall(f, handler, …): Lua's xpcall (upvalue 1) with a handler wrapped in handle_message().
int script_xpcall(lua_State* L) {
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, guard<handle_message>, 1);
  lua_replace(L, 2);
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/// The message handler of a pcall. Gives moonlet's error tables the metatable of errors, so that
/// tostring() returns their message.
int name_error(lua_State* L) {
  lua_settop(L, 1);
  if (!lua_istable(L, 1)) return 1;
  lua_pushliteral(L, "kind");
  lua_rawget(L, 1);
  const bool is_error = lua_type(L, -1) == LUA_TSTRING;
  lua_pop(L, 1);
  if (is_error) make_error(L, 1);
  return 1;
}

/// pcall(f, …): Lua's xpcall (upvalue 1) with name_error() as the message handler.
int script_pcall(lua_State* L) {
  luaL_checkany(L, 1);
  lua_pushcfunction(L, name_error);
  lua_insert(L, 2);
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

int script_tostring(lua_State* L) {
  luaL_checkany(L, 1);
  push_text_of(L, 1, nullptr);
  return 1;
}

int script_rawget(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  check_not_host_object(L, 1);
  lua_settop(L, 2);
  lua_rawget(L, 1);
  return 1;
}

int script_rawset(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkany(L, 3);
  check_not_host_object(L, 1);
  lua_settop(L, 3);
  lua_rawset(L, 1);
  return 1;
}

/// setmetatable for scripts. Refuses __gc, because a finalizer could run at any time and could not
/// be stopped. Lua reads __gc only in setmetatable, so assigning it later has no effect.
int set_metatable(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
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

/// setmetatable for the standard library. A table whose metatable is protected (__metatable =
/// false) becomes an object of the host.
int module_setmetatable(lua_State* L) {
  set_metatable(L);
  if (!lua_getmetatable(L, 1)) return 1;
  lua_pushliteral(L, "__metatable");
  if (lua_rawget(L, -2) == LUA_TBOOLEAN && !lua_toboolean(L, -1)) mark_host_metatable(L, -2);
  lua_settop(L, 1);
  return 1;
}

/// collectgarbage("count"): rounds the number, because the exact one differs from run to run.
int script_collectgarbage(lua_State* L) {
  const char* what = luaL_optstring(L, 1, "count");
  if (std::strcmp(what, "count") != 0) {
    return raise(L, ErrorKind::kDenied, "collectgarbage answers only \"count\" here",
                 "memory is collected by itself");
  }
  constexpr lua_Integer kStep = 1024;
  lua_pushinteger(L, (lua_gc(L, LUA_GCCOUNT) + kStep - 1) / kStep * kStep);
  return 1;
}

/// Pushes the value at stack index 1 as JSON.
int json_of(lua_State* L) {
  auto& value = push_box<nlohmann::json>(L);
  read_value(L, 1, value);
  auto& text = push_box<std::string>(L);
  text = json_text(value, -1);
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// Pushes the value at `index` as print() shows it. A plain table is shown as JSON if possible.
void push_printed(lua_State* L, int index) {
  if (lua_istable(L, index) && luaL_getmetafield(L, index, "__tostring") == LUA_TNIL) {
    lua_pushcfunction(L, guard<json_of>);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) return;
    LuaState::poll(L);
    lua_pop(L, 1);
  } else if (lua_istable(L, index)) {
    lua_pop(L, 1);
  }
  push_text_of(L, index, nullptr);
}

/// print(…) writes a line to the run's log.
int script_print(lua_State* L) {
  const int count = lua_gettop(L);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (int i = 1; i <= count; ++i) {
    if (i > 1) luaL_addchar(&buffer, ' ');
    push_printed(L, i);
    luaL_addvalue(&buffer);
  }
  luaL_pushresult(&buffer);
  std::size_t size = 0;
  const char* text = lua_tolstring(L, -1, &size);
  Services& services = Services::of(L);
  size = std::min(size, kLongestLine);
  count_output(L, size);
  Event& event = push_box<Event>(L);
  event.type = EventType::kLog;
  event.fields["text"] = std::string(text, size);
  if (!services.run) {
    services.early.push_back(event);
    return 0;
  }
  event.run = services.run->id();
  services.bus->emit(event);
  return 0;
}

/// Adds `function` to the library at the top of the stack, with Lua's function as upvalue 1.
void wrap(lua_State* L, const char* plain, const char* name, lua_CFunction function) {
  lua_getglobal(L, plain);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
}

constexpr luaL_Reg kFunctions[] = {
    {"tostring", guard<script_tostring>},
    {"pairs", guard<ordered_pairs>},
    {"next", guard<ordered_next>},
    {"rawget", guard<script_rawget>},
    {"rawset", guard<script_rawset>},
    {"setmetatable", guard<set_metatable>},
    {"collectgarbage", guard<script_collectgarbage>},
    {"print", guard<script_print>},
    {nullptr, nullptr},
};

constexpr luaL_Reg kModuleFunctions[] = {
    {"tostring", guard<script_tostring>},
    {"pairs", guard<ordered_pairs>},
    {"next", guard<ordered_next>},
    {"setmetatable", guard<module_setmetatable>},
    {nullptr, nullptr},
};

}  // namespace

void mark_host_metatable(lua_State* L, int index) {
  index = lua_absindex(L, index);
  lua_pushboolean(L, 1);
  lua_rawsetp(L, index, &kHostKey);
}

bool is_host_object(lua_State* L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  const bool marked = lua_rawgetp(L, -1, &kHostKey) != LUA_TNIL;
  lua_pop(L, 2);
  return marked;
}

void check_not_host_object(lua_State* L, int index) {
  if (!is_host_object(L, index)) return;
  raise(L, ErrorKind::kDenied, "an object of the host has no raw access",
        "use it by its fields and functions");
}

void push_weak_table(lua_State* L, const void* key) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  set_text(L, "__mode", "k");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

lua_Integer object_number(lua_State* L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 6, "object number");
  push_weak_table(L, &kNumbersKey);
  lua_pushvalue(L, index);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_rawgeti(L, -1, 0);
    const lua_Integer number = lua_tointeger(L, -1) + 1;
    lua_pop(L, 1);
    lua_pushinteger(L, number);
    lua_rawseti(L, -2, 0);
    lua_pushvalue(L, index);
    lua_pushinteger(L, number);
    lua_rawset(L, -3);
    lua_pushinteger(L, number);
  }
  const lua_Integer number = lua_tointeger(L, -1);
  lua_pop(L, 2);
  return number;
}

const char* push_text_of(lua_State* L, int index, std::size_t* size) {
  index = lua_absindex(L, index);
  const int type = lua_type(L, index);
  if (type == LUA_TSTRING || type == LUA_TNUMBER) {
    lua_pushvalue(L, index);
    return lua_tolstring(L, -1, size);
  }
  if (type == LUA_TBOOLEAN || type == LUA_TNIL) return luaL_tolstring(L, index, size);
  luaL_checkstack(L, 4, "text of a value");
  if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    if (!lua_isstring(L, -1)) luaL_error(L, "'__tostring' must return a string");
  } else if (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == nullptr) {
    lua_pushliteral(L, "null");
  } else {
    const bool named = luaL_getmetafield(L, index, "__name") == LUA_TSTRING;
    if (!named) lua_pushstring(L, luaL_typename(L, index));
    lua_pushfstring(L, "%s: %I", lua_tostring(L, -1),
                    static_cast<LUAI_UACINT>(object_number(L, index)));
    lua_remove(L, -2);
  }
  return lua_tolstring(L, -1, size);
}

int luaopen_sandbox_base(lua_State* L) {
  lua_createtable(L, 0, 32);
  for (const char* name : kPlain) {
    lua_getglobal(L, name);
    lua_setfield(L, -2, name);
  }
  luaL_setfuncs(L, kFunctions, 0);
  wrap(L, "error", "error", guard<script_error>);
  wrap(L, "assert", "assert", guard<script_assert>);
  wrap(L, "xpcall", "xpcall", guard<script_xpcall>);
  wrap(L, "xpcall", "pcall", guard<script_pcall>);
  set_text(L, "_VERSION", "Lua 5.4");
  return 1;
}

void set_module_base(lua_State* L) { luaL_setfuncs(L, kModuleFunctions, 0); }

}  // namespace moonlet
