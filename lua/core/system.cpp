// core.system tells the standard library about the engine's process and its environment.
#include <limits.h>
#include <poll.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "host/process/child/program.h"
#include "lua/core/core.h"
#include "lua/vm/bind.h"

namespace moonlet {

namespace {

std::optional<std::string_view> system_env(const Services& services, std::string_view name) {
  const char* value = services.env(name);
  if (value == nullptr) return std::nullopt;
  return value;
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
std::optional<std::string> system_state_dir(const Services& services) {
  auto path = services.state_dir();
  return path.empty() ? std::nullopt : std::optional(std::move(path));
}

std::string_view system_cwd(const Services& services) { return services.working_directory; }

/// user() returns the name of the user who runs the process; no value if it is unknown
std::optional<std::string> system_user() {
  uv_passwd_t user;
  if (uv_os_get_passwd(&user) != 0) return std::nullopt;
  std::string name = user.username;
  uv_os_free_passwd(&user);
  return name;
}

/// find_program(name) returns the path of a program; no value if it is not found.
/// Searches the absolute folders in PATH.
std::optional<std::string> system_find_program(const Services& services, std::string_view name) {
  auto found = find_program(name, services.env("PATH"), services.working_directory);
  return found ? std::optional(std::move(*found)) : std::nullopt;
}

/// real_path(path) returns the absolute path without symbolic links; no value if it does not exist
std::optional<std::string> system_real_path(const Services& services, std::string_view path) {
  const std::string full = path.starts_with('/')
                               ? std::string(path)
                               : services.working_directory + "/" + std::string(path);
  char resolved[PATH_MAX];
  if (realpath(full.c_str(), resolved) == nullptr) return std::nullopt;
  return resolved;
}

/// print(stream, text): prints a text. Stream 1 is for results, stream 2 for messages to the user.
void system_print(const Services& services, int stream, std::string_view text) {
  if (!services.print) return;
  if (!services.detached) return services.print(stream, text);
  services.print(stream, services.redactor.apply(text));  // the output goes to a log file
}

/// reader_is_gone() returns true if stdout is a pipe whose reader has closed it
bool system_reader_is_gone() {
  pollfd out{STDOUT_FILENO, 0, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
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
    {"env", raising<system_env>},
    {"env_matching", guard<system_env_matching>},
    {"cwd", raising<system_cwd>},
    {"state_dir", raising<system_state_dir>},
    {"user", raising<system_user>},
    {"find_program", raising<system_find_program>},
    {"real_path", raising<system_real_path>},
    {"print", raising<system_print>},
    {"reader_is_gone", raising<system_reader_is_gone>},
    {"keeper_program", guard<system_keeper_program>},
    {"is_writable", guard<system_is_writable>},
    {nullptr, nullptr},
};

}  // namespace moonlet
