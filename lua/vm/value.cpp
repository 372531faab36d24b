#include "lua/vm/value.h"

#include <cmath>
#include <string>

#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/lost.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

const char kArrayMetatable[] = "moonlet.array";

using nlohmann::json;

void push_string(lua_State* L, const std::string& text) {
  lua_pushlstring(L, text.data(), text.size());
}

struct Reader {
  lua_State* L;
  const ValueLimits& limits;
  std::size_t nodes = 0;
  std::size_t bytes = 0;
  std::size_t polled = 0;

  void refuse(const char* why) {
    raise(L, ErrorKind::kInvalid, lua_pushfstring(L, "not a JSON value: %s", why));
  }

  void count(std::size_t size) {
    bytes += size;
    if (bytes > limits.bytes) {
      refuse(lua_pushfstring(L, "it holds more than %d MB of text",
                             static_cast<int>(limits.bytes >> 20)));
    }
    if ((++polled & 0xfff) == 0) LuaState::poll(L);
  }

  void read(int index, json& out, int depth) {
    if (depth > limits.depth) {
      refuse(
          lua_pushfstring(L, "it nests deeper than %d levels, or contains itself", limits.depth));
    }
    if (++nodes > limits.nodes) {
      refuse(lua_pushfstring(L, "it holds more than %d values", static_cast<int>(limits.nodes)));
    }
    switch (lua_type(L, index)) {
      case LUA_TNIL:
        out = nullptr;
        break;
      case LUA_TBOOLEAN:
        out = lua_toboolean(L, index) != 0;
        break;
      case LUA_TNUMBER:
        read_number(index, out);
        break;
      case LUA_TSTRING: {
        std::size_t size = 0;
        const char* data = lua_tolstring(L, index, &size);
        count(size);
        out = json::string_t(data, size);
        break;
      }
      case LUA_TTABLE:
        read_table(index, out, depth);
        break;
      case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == nullptr) {
          out = nullptr;
          break;
        }
        [[fallthrough]];
      case LUA_TUSERDATA:
        if (push_lost_record(L, index)) {
          out = json::object();
          json& slot = out["lost"];  // an error in read() would leak a temporary object
          read(lua_gettop(L), slot, depth + 1);
          lua_pop(L, 1);
          break;
        }
        [[fallthrough]];
      default:
        refuse(lua_pushfstring(L, "it holds a %s", luaL_typename(L, index)));
    }
  }

  void read_number(int index, json& out) {
    if (lua_isinteger(L, index)) {
      out = static_cast<std::int64_t>(lua_tointeger(L, index));
      return;
    }
    const double number = lua_tonumber(L, index);
    // In Lua, an unlimited budget (ctx.budget) is infinite. JSON has no infinity, so write null.
    if (std::isinf(number) && number > 0) {
      out = nullptr;
      return;
    }
    if (!std::isfinite(number)) refuse("it holds NaN or a number below all others");
    out = number;
  }

  void read_table(int index, json& out, int depth) {
    luaL_checkstack(L, 8, "value too deep");
    const lua_Unsigned length = lua_rawlen(L, index);
    if (is_marked_array(L, index) || length > 0) {
      read_array(index, static_cast<lua_Integer>(length), out, depth);
    } else {
      read_object(index, out, depth);
    }
  }

  void read_array(int index, lua_Integer length, json& out, int depth) {
    out = json::array();
    lua_Integer entries = 0;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
      ++entries;
      if (!lua_isinteger(L, -2)) refuse("a list has a named key too");
      lua_pop(L, 1);
    }
    if (entries != length) refuse("a list has holes");
    for (lua_Integer i = 1; i <= length; ++i) {
      lua_rawgeti(L, index, i);
      out.emplace_back();
      read(lua_gettop(L), out.back(), depth + 1);
      lua_pop(L, 1);
    }
  }

  void read_object(int index, json& out, int depth) {
    out = json::object();
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
      if (lua_type(L, -2) != LUA_TSTRING) {
        refuse(lua_pushfstring(L, "a key is a %s", luaL_typename(L, -2)));
      }
      std::size_t size = 0;
      const char* key = lua_tolstring(L, -2, &size);
      count(size);
      json& slot = out[std::string(key, size)];  // an error in read() would leak a temporary object
      read(lua_gettop(L), slot, depth + 1);
      lua_pop(L, 1);
    }
  }
};

}  // namespace

void open_values(lua_State* L) {
  luaL_newmetatable(L, kArrayMetatable);
  set_flag(L, "__metatable", 0);
  lua_pop(L, 1);
}

std::vector<std::string> read_texts(lua_State* L, int index) {
  std::vector<std::string> texts;
  for (lua_Integer i = 1; lua_rawgeti(L, index, i) == LUA_TSTRING; ++i) {
    texts.emplace_back(check_text(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return texts;
}

void push_array_metatable(lua_State* L) { luaL_getmetatable(L, kArrayMetatable); }

bool is_marked_array(lua_State* L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  luaL_getmetatable(L, kArrayMetatable);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

void push_value(lua_State* L, const json& value) {
  luaL_checkstack(L, 8, "value too deep");
  switch (value.type()) {
    case json::value_t::boolean:
      lua_pushboolean(L, value.get<bool>());
      break;
    case json::value_t::number_integer:
      lua_pushinteger(L, value.get<std::int64_t>());
      break;
    case json::value_t::number_unsigned:
      if (value.get<std::uint64_t>() > static_cast<std::uint64_t>(LUA_MAXINTEGER)) {
        lua_pushnumber(L, value.get<double>());
      } else {
        lua_pushinteger(L, value.get<std::int64_t>());
      }
      break;
    case json::value_t::number_float:
      lua_pushnumber(L, value.get<double>());
      break;
    case json::value_t::string:
      push_string(L, value.get_ref<const std::string&>());
      break;
    case json::value_t::array: {
      lua_createtable(L, static_cast<int>(value.size()), 0);
      luaL_setmetatable(L, kArrayMetatable);
      lua_Integer i = 0;
      for (const json& item : value) {
        push_value(L, item);
        lua_rawseti(L, -2, ++i);
      }
      break;
    }
    case json::value_t::object:
      lua_createtable(L, 0, static_cast<int>(value.size()));
      for (auto it = value.begin(); it != value.end(); ++it) {
        push_string(L, it.key());
        push_value(L, it.value());
        lua_rawset(L, -3);
      }
      break;
    default:
      lua_pushlightuserdata(L, nullptr);  // m.null
  }
}

void read_value(lua_State* L, int index, json& out, const ValueLimits& limits) {
  index = lua_absindex(L, index);
  Reader{L, limits}.read(index, out, 0);
}

}  // namespace moonlet
