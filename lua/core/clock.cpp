// core.clock reads the run's clock and the kernel's random generator.
#include <string>

#include "host/base/clock.h"
#include "host/base/id.h"
#include "lua/core/core.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"

namespace moonlet {

namespace {

int clock_monotonic(lua_State* L) {
  lua_pushinteger(L, Services::of(L).clock.monotonic_ms());
  return 1;
}

int clock_wall(lua_State* L) {
  lua_pushinteger(L, Services::of(L).clock.wall_ms());
  return 1;
}

int push_text(lua_State* L, std::string (*format)(std::int64_t)) {
  const std::int64_t ms = luaL_checkinteger(L, 1);
  auto& text = push_box<std::string>(L);
  text = format(ms);
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// iso(ms since 1970) returns the time as "2026-11-21T03:12:00.123Z"
int clock_iso(lua_State* L) { return push_text(L, iso8601_utc); }

/// parse("2026-11-21T03:12:00.123Z") returns ms since 1970; nil for another format
int clock_parse(lua_State* L) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(L, 1, &size);
  const auto ms = parse_iso8601_utc({text, size});
  if (!ms) return 0;
  lua_pushinteger(L, *ms);
  return 1;
}

/// random_hex(bytes) returns `bytes` random bytes, which come from the kernel, as hex digits
int clock_random_hex(lua_State* L) {
  const lua_Integer bytes = luaL_checkinteger(L, 1);
  luaL_argcheck(L, bytes > 0 && bytes <= 1024, 1, "1 to 1024 bytes expected");
  auto& text = push_box<std::string>(L);
  text = random_hex(static_cast<std::size_t>(bytes));
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

}  // namespace

const luaL_Reg kCoreClock[] = {
    {"parse", guard<clock_parse>},
    {"monotonic", guard<clock_monotonic>},
    {"wall", guard<clock_wall>},
    {"iso", guard<clock_iso>},
    {"random_hex", guard<clock_random_hex>},
    {nullptr, nullptr},
};

}  // namespace moonlet
