// Defines the harmless parts of other libraries: os.time and os.date for a given time in UTC,
// debug.traceback, and utf8 for texts of limited size. Functions that read a clock are refused,
// because a replay could not repeat them. No function accesses the system.
#include <locale.h>
#include <time.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "lua/sandbox/sandbox.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

// The end of the year 9999, in seconds since 1970.
constexpr std::int64_t kFurthest = 253'402'300'799;

int refuse_clock(lua_State* L, const char* message) {
  return raise(L, ErrorKind::kDenied, message,
               "call ctx:now(), in milliseconds: os.date('!%F', ctx:now() // 1000)");
}

int field(lua_State* L, const char* key, int otherwise) {
  lua_pushstring(L, key);
  int whole = 0;
  const bool missing = lua_rawget(L, 1) == LUA_TNIL;
  const lua_Integer value = lua_tointegerx(L, -1, &whole);
  lua_pop(L, 1);
  if (missing && otherwise >= 0) return otherwise;
  if (!whole) luaL_error(L, "field '%s' missing in date table, or not a whole number", key);
  if (value < -1'000'000'000 || value > 1'000'000'000) {
    luaL_error(L, "field '%s' is out-of-bound", key);
  }
  return static_cast<int>(value);
}

/// os.time{year, month, day, hour = 12, min = 0, sec = 0} returns seconds since 1970
int os_time(lua_State* L) {
  if (lua_isnoneornil(L, 1))
    return refuse_clock(L, "os.time() is refused: a replay could not repeat it");
  luaL_checktype(L, 1, LUA_TTABLE);
  std::tm date{};
  date.tm_year = field(L, "year", -1) - 1900;
  date.tm_mon = field(L, "month", -1) - 1;
  date.tm_mday = field(L, "day", -1);
  date.tm_hour = field(L, "hour", 12);
  date.tm_min = field(L, "min", 0);
  date.tm_sec = field(L, "sec", 0);
  const std::int64_t time = timegm(&date);
  luaL_argcheck(L, time >= -kFurthest && time <= kFurthest, 1, "the year is out of range");
  lua_pushinteger(L, time);
  return 1;
}

int os_clock(lua_State* L) {
  return refuse_clock(L, "os.clock is refused: a replay could not repeat it");
}

// The conversions of os.date that do not depend on a time zone or locale.
constexpr std::string_view kConversions = "%YymdHIMSjwpaAbBFTXDxc";

int push_date_table(lua_State* L, const std::tm& date) {
  lua_createtable(L, 0, 9);
  set_number(L, "year", date.tm_year + 1900);
  set_number(L, "month", date.tm_mon + 1);
  set_number(L, "day", date.tm_mday);
  set_number(L, "hour", date.tm_hour);
  set_number(L, "min", date.tm_min);
  set_number(L, "sec", date.tm_sec);
  set_number(L, "wday", date.tm_wday + 1);
  set_number(L, "yday", date.tm_yday + 1);
  set_flag(L, "isdst", false);
  return 1;
}

/// os.date(format, time): the time in UTC, with or without "!". Refuses to use the current time.
int os_date(lua_State* L) {
  std::size_t size = 0;
  const char* form = luaL_optlstring(L, 1, "%c", &size);
  if (lua_isnoneornil(L, 2)) {
    return refuse_clock(L, "os.date without a time is refused: a replay could not repeat it");
  }
  const std::int64_t time = luaL_checkinteger(L, 2);
  luaL_argcheck(L, time >= -kFurthest && time <= kFurthest, 2, "time out of range");
  luaL_argcheck(L, size <= 1024, 1, "format too long");
  const auto seconds = static_cast<std::time_t>(time);
  std::tm date{};
  gmtime_r(&seconds, &date);
  const char* end = form + size;
  if (form < end && *form == '!') ++form;
  if (std::string_view(form, static_cast<std::size_t>(end - form)) == "*t") {
    return push_date_table(L, date);
  }
  // Use the C locale, because the program may have chosen another one.
  static const locale_t kPlain = newlocale(LC_ALL_MASK, "C", nullptr);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (; form < end; ++form) {
    if (*form != '%') {
      luaL_addchar(&buffer, *form);
      continue;
    }
    if (++form == end) return luaL_argerror(L, 1, "the format ends with '%'");
    char part[64];
    const char conversion[] = {'%', *form, '\0'};
    if (*form == 's') {
      std::snprintf(part, sizeof part, "%lld", static_cast<long long>(time));
    } else if (*form == 'Z' || *form == 'z') {
      std::snprintf(part, sizeof part, *form == 'Z' ? "UTC" : "+0000");
    } else if (kConversions.find(*form) == std::string_view::npos) {
      return luaL_argerror(L, 1, lua_pushfstring(L, "unknown conversion '%s'", conversion));
    } else {
      part[strftime_l(part, sizeof part, conversion, &date, kPlain)] = '\0';
    }
    luaL_addstring(&buffer, part);
  }
  luaL_pushresult(&buffer);
  return 1;
}

int debug_traceback(lua_State* L) {
  const bool other = lua_isthread(L, 1);
  lua_State* from = other ? lua_tothread(L, 1) : L;
  const int message = other ? 2 : 1;
  if (!lua_isnoneornil(L, message) && !lua_isstring(L, message)) {
    lua_settop(L, message);
    return 1;
  }
  const lua_Integer level = luaL_optinteger(L, message + 1, other ? 0 : 1);
  const bool sane = level >= 0 && level < 1'000'000;
  luaL_traceback(L, from, lua_tostring(L, message), sane ? static_cast<int>(level) : 1'000'000);
  return 1;
}

constexpr std::size_t kLongestText = std::size_t{16} << 20;

/// Calls Lua's function (upvalue 1). Refuses a text so long that the call would block.
int utf8_bounded(lua_State* L) {
  std::size_t size = 0;
  luaL_checklstring(L, 1, &size);
  if (size > kLongestText) return luaL_error(L, "text longer than 16 MB");
  LuaState::poll(L);
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

constexpr luaL_Reg kOs[] = {{"time", guard<os_time>},
                            {"clock", guard<os_clock>},
                            {"date", guard<os_date>},
                            {nullptr, nullptr}};

}  // namespace

int luaopen_sandbox_os(lua_State* L) {
  luaL_newlib(L, kOs);
  return 1;
}

int luaopen_sandbox_debug(lua_State* L) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, guard<debug_traceback>);
  lua_setfield(L, -2, "traceback");
  return 1;
}

int luaopen_sandbox_utf8(lua_State* L) {
  lua_pushcfunction(L, luaopen_utf8);
  lua_call(L, 0, 1);
  for (const char* name : {"len", "offset", "codepoint", "codes"}) {
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, guard<utf8_bounded>, 1);
    lua_setfield(L, -2, name);
  }
  return 1;
}

}  // namespace moonlet
