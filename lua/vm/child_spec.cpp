#include "lua/vm/child_spec.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "lua/vm/services.h"

namespace moonlet {

namespace {

[[noreturn]] void refuse_type(lua_State* L, const char* key, const char* wanted) {
  luaL_error(L, "%s must be %s, not a %s", key, wanted, luaL_typename(L, -1));
  std::abort();  // luaL_error does not return
}

void field_list(lua_State* L, int index, const char* key, std::vector<std::string>& list) {
  const int type = lua_getfield(L, index, key);
  if (type != LUA_TNIL && type != LUA_TTABLE) refuse_type(L, key, "a list of texts");
  const auto count = type == LUA_TNIL ? 0 : static_cast<lua_Integer>(lua_rawlen(L, -1));
  list.reserve(static_cast<std::size_t>(count));
  for (lua_Integer i = 1; i <= count; ++i) {
    if (lua_rawgeti(L, -1, i) != LUA_TSTRING) refuse_type(L, key, "a list of texts");
    std::size_t size = 0;
    const char* data = lua_tolstring(L, -1, &size);
    list.emplace_back(data, size);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

void refuse_unknown(lua_State* L, int index, std::initializer_list<std::string_view> more) {
  constexpr std::string_view kOwn[] = {"argv",    "env",    "cwd",    "wall_ms",
                                       "idle_ms", "redact", "confine"};
  const auto is_known = [&](std::string_view name) {
    return std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn) ||
           std::find(more.begin(), more.end(), name) != more.end();
  };
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    const char* name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    if (!is_known(name)) luaL_error(L, "a child has no field '%s'", name);
  }
}

void read_paths(lua_State* L, const char* key, std::vector<std::string>& paths) {
  lua_Integer keys = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) ++keys;
  for (lua_Integer i = 1; i <= keys; ++i) {
    if (lua_rawgeti(L, -1, i) != LUA_TSTRING) {
      luaL_error(L, "confine.%s must be a list of paths", key);
    }
    std::size_t size = 0;
    const char* data = lua_tolstring(L, -1, &size);
    paths.emplace_back(data, size);
    lua_pop(L, 1);
  }
}

bool read_flag(lua_State* L, const char* key) {
  if (!lua_isboolean(L, -1)) luaL_error(L, "confine.%s must be true or false", key);
  return lua_toboolean(L, -1) != 0;
}

void read_confinement(lua_State* L, Confinement& confinement) {
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    const char* key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    const bool is_list = strcmp(key, "writable") == 0 || strcmp(key, "readable") == 0;
    if (is_list && !lua_istable(L, -1)) luaL_error(L, "confine.%s must be a list of paths", key);
    if (strcmp(key, "writable") == 0) {
      read_paths(L, key, confinement.writable);
    } else if (strcmp(key, "readable") == 0) {
      read_paths(L, key, confinement.readable);
    } else if (strcmp(key, "restrict_reads") == 0) {
      confinement.restrict_reads = read_flag(L, key);
    } else if (strcmp(key, "network") == 0) {
      confinement.no_network = !read_flag(L, key);
    } else if (strcmp(key, "terminals") == 0) {
      confinement.terminals = read_flag(L, key);
    } else {
      luaL_error(L, "confine has no field '%s'", key);
    }
    lua_pop(L, 1);
  }
}

/// Redacts secrets in the arguments for the keeper's log. Leaves redacted_argv empty if there are
/// none.
void redact_argv(ChildSpec& spec, const Redactor& redactor) {
  bool other = redactor.apply(spec.cwd) != spec.cwd;
  for (const auto& word : spec.argv) {
    spec.redacted_argv.push_back(redactor.apply(word));
    other = other || spec.redacted_argv.back() != word;
  }
  if (!other) spec.redacted_argv.clear();
}

}  // namespace

std::string_view field_text(lua_State* L, int index, const char* key) {
  std::string_view text;
  const int type = lua_getfield(L, index, key);
  if (type == LUA_TSTRING) {
    std::size_t size = 0;
    const char* data = lua_tolstring(L, -1, &size);
    text = {data, size};  // the table keeps the text alive
  } else if (type != LUA_TNIL) {
    refuse_type(L, key, "a text");
  }
  lua_pop(L, 1);
  return text;
}

std::int64_t field_integer(lua_State* L, int index, const char* key, std::int64_t otherwise) {
  const bool given = lua_getfield(L, index, key) != LUA_TNIL;
  if (given && !lua_isinteger(L, -1)) refuse_type(L, key, "a whole number");
  const std::int64_t value = given ? lua_tointeger(L, -1) : otherwise;
  if (value < 0) luaL_error(L, "%s must not be negative", key);
  lua_pop(L, 1);
  return value;
}

bool field_flag(lua_State* L, int index, const char* key) {
  const int type = lua_getfield(L, index, key);
  if (type != LUA_TNIL && type != LUA_TBOOLEAN) refuse_type(L, key, "true or false");
  const bool value = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return value;
}

void read_child_spec(lua_State* L, int index, ChildSpec& spec,
                     std::initializer_list<std::string_view> more) {
  refuse_unknown(L, index, more);
  spec.cwd = field_text(L, index, "cwd");
  field_list(L, index, "argv", spec.argv);
  redact_argv(spec, Services::of(L).redactor);
  field_list(L, index, "env", spec.env);
  spec.wall_ms = field_integer(L, index, "wall_ms", 0);
  spec.idle_ms = field_integer(L, index, "idle_ms", 0);
  if (field_flag(L, index, "redact")) {
    spec.secrets = Redactor::secrets_of_environment(Services::of(L).environment);
  }
  if (lua_getfield(L, index, "confine") != LUA_TNIL) {
    read_confinement(L, spec.confinement.emplace());
  }
  lua_pop(L, 1);
}

}  // namespace moonlet
