// core.secret redacts the secrets of the environment in a text, and restores them.

#include "host/driver/run_driver.h"
#include "lua/core/core.h"
#include "lua/vm/bind.h"

namespace moonlet {

namespace {

/// hide(text) returns the redacted text and the places for restore(); only the text if it has no
/// secret
int secret_hide(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  if (Services::of(L).redactor.empty()) {
    lua_settop(L, 1);
    return 1;
  }
  auto& places = push_box<std::vector<RedactedPlace>>(L);
  auto& hidden = push_box<std::string>(L);
  hidden = Services::of(L).redactor.apply(text, &places);
  if (places.empty()) {
    lua_settop(L, 1);
    return 1;
  }
  lua_pushlstring(L, hidden.data(), hidden.size());
  lua_createtable(L, static_cast<int>(places.size() * 2), 0);
  lua_Integer count = 0;
  for (const RedactedPlace& place : places) {
    lua_pushinteger(L, static_cast<lua_Integer>(place.at));
    lua_rawseti(L, -2, ++count);
    lua_pushinteger(L, place.form);
    lua_rawseti(L, -2, ++count);
  }
  return 2;
}

/// restore(text, places) undoes hide(). Returns no value if one of the secrets is not known any
/// more.
int secret_restore(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  auto& places = push_box<std::vector<RedactedPlace>>(L);
  auto& restored = push_box<std::optional<std::string>>(L);
  const auto count = static_cast<lua_Integer>(lua_rawlen(L, 2));
  const auto number_at = [L](lua_Integer i) {
    lua_rawgeti(L, 2, i);
    const lua_Integer number = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return number;
  };
  for (lua_Integer i = 1; i < count; i += 2) {
    const lua_Integer at = number_at(i), form = number_at(i + 1);
    if (at < 0 || form < 0 || form > 1'000'000) return 0;
    places.push_back({static_cast<std::size_t>(at), static_cast<std::uint32_t>(form)});
  }
  restored = Services::of(L).redactor.restore(text, places);
  if (!restored) return 0;
  lua_pushlstring(L, restored->data(), restored->size());
  return 1;
}

}  // namespace

const luaL_Reg kCoreSecret[] = {
    {"hide", guard<secret_hide>},
    {"restore", guard<secret_restore>},
    {"key", raising<&RunDriver::key>},
    {nullptr, nullptr},
};

}  // namespace moonlet
