// core.system tells the standard library about the engine's process and its environment.
#include <limits.h>
#include <poll.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "lua/core/core.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

int system_env(lua_State* L) {
  const char* name = luaL_checkstring(L, 1);
  const char* value = Services::of(L).env(name);
  if (value == nullptr) return 0;
  lua_pushstring(L, value);
  return 1;
}

/// env_matching(pattern) returns the variables whose name matches a Lua pattern, as {name = value}
int system_env_matching(lua_State* L) {
  luaL_checkstring(L, 1);
  lua_newtable(L);
  lua_getglobal(L, "string");
  lua_getfield(L, -1, "find");
  const int find = lua_gettop(L);
  for (const std::string& entry : Services::of(L).environment) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) continue;
    lua_pushvalue(L, find);
    lua_pushlstring(L, entry.data(), equals);
    lua_pushvalue(L, 1);
    lua_call(L, 2, 1);
    const bool matches = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    if (!matches) continue;
    lua_pushlstring(L, entry.data(), equals);
    lua_pushlstring(L, entry.data() + equals + 1, entry.size() - equals - 1);
    lua_settable(L, 2);
  }
  lua_settop(L, 2);
  return 1;
}

/// state_dir() returns moonlet's state folder of this user; no value if there is none
int system_state_dir(lua_State* L) {
  auto& path = push_box<std::string>(L);
  path = Services::of(L).state_dir();
  if (path.empty()) return 0;
  lua_pushlstring(L, path.data(), path.size());
  return 1;
}

int system_cwd(lua_State* L) {
  const std::string& path = Services::of(L).working_directory;
  lua_pushlstring(L, path.data(), path.size());
  return 1;
}

/// user() returns the name of the user who runs the process; no value if it is unknown
int system_user(lua_State* L) {
  uv_passwd_t user;
  if (uv_os_get_passwd(&user) != 0) return 0;
  auto& name = push_box<std::string>(L);
  name = user.username;
  uv_os_free_passwd(&user);
  lua_pushlstring(L, name.data(), name.size());
  return 1;
}

/// find_program(name) returns the path of a program; no value if it is not found.
/// Searches the absolute folders in PATH.
int system_find_program(lua_State* L) {
  std::size_t size = 0;
  const char* name = luaL_checklstring(L, 1, &size);
  Services& services = Services::of(L);
  auto& candidate = push_box<std::string>(L);
  if (std::memchr(name, '/', size) != nullptr) {
    candidate = name[0] == '/' ? std::string(name) : services.working_directory + "/" + name;
    if (access(candidate.c_str(), X_OK) != 0) return 0;
    lua_pushlstring(L, candidate.data(), candidate.size());
    return 1;
  }
  const char* path = services.env("PATH");
  std::string_view rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!rest.empty() && size > 0) {
    const std::size_t colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    if (folder.empty() || folder[0] != '/') continue;
    candidate.assign(folder).append("/").append(name, size);
    if (access(candidate.c_str(), X_OK) != 0) continue;
    lua_pushlstring(L, candidate.data(), candidate.size());
    return 1;
  }
  return 0;
}

/// real_path(path) returns the absolute path without symbolic links; no value if it does not exist
int system_real_path(lua_State* L) {
  const char* path = luaL_checkstring(L, 1);
  auto& full = push_box<std::string>(L);
  full = path[0] == '/' ? path : Services::of(L).working_directory + "/" + path;
  char resolved[PATH_MAX];
  if (realpath(full.c_str(), resolved) == nullptr) return 0;
  lua_pushstring(L, resolved);
  return 1;
}

/// print(stream, text): prints a text. Stream 1 is for results, stream 2 for messages to the user.
int system_print(lua_State* L) {
  const lua_Integer stream = luaL_checkinteger(L, 1);
  std::size_t size = 0;
  const char* text = luaL_checklstring(L, 2, &size);
  Services& services = Services::of(L);
  if (!services.print) return 0;
  if (!services.detached) {
    services.print(static_cast<int>(stream), {text, size});
    return 0;
  }
  // The output goes to a log file, so redact it.
  auto& redacted = push_box<std::string>(L);
  redacted = services.redactor.apply({text, size});
  services.print(static_cast<int>(stream), redacted);
  return 0;
}

/// reader_is_gone() returns true if stdout is a pipe whose reader has closed it
int system_reader_is_gone(lua_State* L) {
  pollfd out{STDOUT_FILENO, 0, 0};
  lua_pushboolean(L, poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0);
  return 1;
}

/// keeper_program() returns the path of the keeper's executable, or nil and why it cannot be run
int system_keeper_program(lua_State* L) {
  const std::string& path = Services::of(L).keeper_program;
  if (access(path.c_str(), X_OK) != 0) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s cannot be run: %s", path.c_str(), std::strerror(errno));
    return 2;
  }
  lua_pushlstring(L, path.data(), path.size());
  return 1;
}

/// is_writable(path) returns true, or false and the reason. Checks the parent folder if the path
/// does not exist.
int system_is_writable(lua_State* L) {
  const char* path = luaL_checkstring(L, 1);
  auto& place = push_box<std::string>(L);
  place = path;
  if (access(place.c_str(), F_OK) != 0) place = place.substr(0, place.rfind('/'));
  if (access(place.c_str(), W_OK) == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  const int number = errno;
  lua_pushboolean(L, 0);
  lua_pushfstring(L, "%s cannot be written: %s", place.c_str(), std::strerror(number));
  return 2;
}

}  // namespace

const luaL_Reg kCoreSystem[] = {
    {"env", guard<system_env>},
    {"env_matching", guard<system_env_matching>},
    {"cwd", guard<system_cwd>},
    {"state_dir", guard<system_state_dir>},
    {"user", guard<system_user>},
    {"find_program", guard<system_find_program>},
    {"real_path", guard<system_real_path>},
    {"print", guard<system_print>},
    {"reader_is_gone", guard<system_reader_is_gone>},
    {"keeper_program", guard<system_keeper_program>},
    {"is_writable", guard<system_is_writable>},
    {nullptr, nullptr},
};

}  // namespace moonlet
