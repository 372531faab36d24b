#include "lua/vm/error.h"
#include "lua/vm/value.h"

#include <cstring>
#include <string>

namespace moonlet {

namespace {

const char kErrorMetatable[] = "moonlet.error";

ErrorKind kind_from_name(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorKind::kFailed); ++i) {
    if (to_string(static_cast<ErrorKind>(i)) == name) return static_cast<ErrorKind>(i);
  }
  return ErrorKind::kFailed;
}

std::string_view raw_text(lua_State* L, int table, const char* key) {
  lua_pushstring(L, key);
  lua_rawget(L, table);
  std::string_view text;
  if (lua_type(L, -1) == LUA_TSTRING) {
    std::size_t size = 0;
    const char* data = lua_tolstring(L, -1, &size);
    text = {data, size};  // the table keeps the string alive
  }
  lua_pop(L, 1);
  return text;
}

int error_tostring(lua_State* L) {
  if (lua_type(L, 1) != LUA_TTABLE) return luaL_error(L, "not an error");
  lua_settop(L, 1);
  lua_pushliteral(L, "message");
  lua_rawget(L, 1);
  if (lua_type(L, -1) != LUA_TSTRING) lua_pushliteral(L, "error without a message");
  return 1;
}

/// The __concat of error tables: uses the error's message as its text.
int error_concat(lua_State* L) {
  lua_settop(L, 2);
  for (int operand = 1; operand <= 2; ++operand) {
    if (lua_type(L, operand) == LUA_TTABLE) {
      lua_pushcfunction(L, error_tostring);
      lua_pushvalue(L, operand);
      lua_call(L, 1, 1);
      lua_replace(L, operand);
    }
  }
  lua_concat(L, 2);
  return 1;
}

/// Splits "preset.lua:12: text" into the error's place "preset.lua:12" and its message "text".
void split_place(Error& error) {
  const std::string& text = error.message;
  for (std::size_t colon = text.find(':'); colon != std::string::npos;
       colon = text.find(':', colon + 1)) {
    std::size_t digits = colon + 1;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    if (digits == colon + 1 || text.compare(digits, 2, ": ") != 0) continue;
    error.at = text.substr(0, digits);
    error.message = text.substr(digits + 2);
    return;
  }
}

}  // namespace

void push_error(lua_State* L, const Error& error) {
  lua_createtable(L, 0, 4);
  set_text(L, "kind", to_string(error.kind));
  set_text(L, "message", error.message);
  if (!error.hint.empty()) set_text(L, "hint", error.hint);
  if (!error.at.empty()) set_text(L, "at", error.at);
  luaL_setmetatable(L, kErrorMetatable);
}

void make_error(lua_State* L, int index) {
  index = lua_absindex(L, index);
  if (lua_getmetatable(L, index)) {
    lua_pop(L, 1);
    return;
  }
  luaL_getmetatable(L, kErrorMetatable);
  lua_setmetatable(L, index);
}

int raise_error(lua_State* L, const Error& error) {
  push_error(L, error);
  return lua_error(L);
}

int raise(lua_State* L, ErrorKind kind, const char* message, const char* hint) {
  lua_createtable(L, 0, 3);
  set_text(L, "kind", to_string(kind));
  set_text(L, "message", message);
  if (hint[0] != '\0') set_text(L, "hint", hint);
  luaL_setmetatable(L, kErrorMetatable);
  return lua_error(L);
}

Error read_error(lua_State* L, int index) {
  index = lua_absindex(L, index);
  Error error;
  switch (lua_type(L, index)) {
    case LUA_TTABLE:
      error.kind = kind_from_name(raw_text(L, index, "kind"));
      error.message = raw_text(L, index, "message");
      error.hint = raw_text(L, index, "hint");
      error.at = raw_text(L, index, "at");
      if (error.message.empty()) error.message = "an error table without a message was raised";
      break;
    case LUA_TSTRING: {
      std::size_t size = 0;
      const char* data = lua_tolstring(L, index, &size);
      error.message.assign(data, size);
      split_place(error);
      break;
    }
    default:
      error.message = std::string("a ") + luaL_typename(L, index) + " value was raised as an error";
  }
  constexpr std::size_t kLongest = 4096;  // nobody reads a longer message
  if (error.message.size() > kLongest) error.message.resize(kLongest);
  return error;
}

bool push_place(lua_State* L) {
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame) != 0; ++level) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.source[0] != '@' || frame.currentline <= 0) continue;
    lua_pushfstring(L, "%s:%d", frame.short_src, frame.currentline);
    return true;
  }
  return false;
}

void open_errors(lua_State* L) {
  luaL_newmetatable(L, kErrorMetatable);
  lua_pushcfunction(L, error_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushcfunction(L, error_concat);
  lua_setfield(L, -2, "__concat");
  set_text(L, "__name", "error");
  set_flag(L, "__metatable", 0);
  lua_pop(L, 1);
}

}  // namespace moonlet
