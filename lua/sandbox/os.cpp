// Small parts of libraries that scripts expect: os that reckons with times, in UTC, and never looks
// at a clock, for a replay has to see the same; debug.traceback; utf8 with bounded texts. None of
// them reaches the system.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>

#include "host/base/clock.h"
#include "lua/sandbox/sandbox.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

// --- os

// The range of the formats: from year -9999 to 9999 or a little more.
constexpr std::int64_t kFurthest = 253'402'300'799;

struct Moment {
  std::int64_t year, month, day, hour, minute, second, weekday, yearday;
};

Moment moment_of(std::int64_t time) {
  using namespace std::chrono;
  const sys_seconds at{seconds(time)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  return {static_cast<int>(date.year()),     static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()), clock.hours().count(),
          clock.minutes().count(),           clock.seconds().count(),
          weekday(day).c_encoding(),         (day - sys_days(date.year() / January / 1)).count()};
}

int refuse_clock(lua_State* L, const char* message) {
  return raise(L, ErrorKind::kDenied, message,
               "call ctx:now(), in milliseconds: os.date('!%F', ctx:now() // 1000)");
}

std::int64_t field(lua_State* L, const char* key, std::int64_t otherwise) {
  lua_pushstring(L, key);
  lua_rawget(L, 1);
  int whole = 0;
  const lua_Integer value = lua_tointegerx(L, -1, &whole);
  if (lua_isnil(L, -1) && otherwise >= 0) {
    lua_pop(L, 1);
    return otherwise;
  }
  if (!whole) luaL_error(L, "field '%s' missing in date table, or not a whole number", key);
  if (value < -1'000'000'000 || value > 1'000'000'000) {
    luaL_error(L, "field '%s' is out-of-bound", key);
  }
  lua_pop(L, 1);
  return value;
}

/// time{year, month, day, hour = 12, min = 0, sec = 0} -> seconds since 1970; without it refused
int os_time(lua_State* L) {
  if (lua_isnoneornil(L, 1))
    return refuse_clock(L, "os.time() is refused: a replay could not repeat it");
  luaL_checktype(L, 1, LUA_TTABLE);
  using namespace std::chrono;
  const std::int64_t year_then = field(L, "year", -1), month_then = field(L, "month", -1);
  const std::int64_t day_then = field(L, "day", -1);
  const std::int64_t rest =
      field(L, "hour", 12) * 3600 + field(L, "min", 0) * 60 + field(L, "sec", 0);
  // Months beyond 1 to 12 carry over.
  const std::int64_t months_after_0 = year_then * 12 + month_then - 1;
  const std::int64_t year_found = floor<years>(months(months_after_0)).count();
  luaL_argcheck(L, year_found >= -9999 && year_found <= 9999, 1, "the year is out of range");
  const sys_days first(year(static_cast<int>(year_found)) /
                       month(static_cast<unsigned>(months_after_0 - year_found * 12 + 1)) / 1);
  const std::int64_t days_after = first.time_since_epoch().count() + day_then - 1;
  lua_pushinteger(L, days_after * 86400 + rest);
  return 1;
}

/// clock(): refused
int os_clock(lua_State* L) {
  return refuse_clock(L, "os.clock is refused: a replay could not repeat it");
}

constexpr const char* kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                 "Thursday", "Friday", "Saturday"};
constexpr const char* kMonths[] = {"January",   "February", "March",    "April",
                                   "May",       "June",     "July",     "August",
                                   "September", "October",  "November", "December"};

/// Writes one conversion; false for an unknown one.
bool format_part(char c, const Moment& m, std::int64_t time, char* out, std::size_t size) {
  auto number = [&](const char* form, std::int64_t value) {
    std::snprintf(out, size, form, static_cast<long long>(value));
  };
  const auto month = static_cast<std::size_t>(m.month - 1);
  const auto weekday = static_cast<std::size_t>(m.weekday);
  auto triple = [&](const char* form, std::int64_t a, std::int64_t b, std::int64_t d) {
    std::snprintf(out, size, form, static_cast<long long>(a), static_cast<long long>(b),
                  static_cast<long long>(d));
  };
  switch (c) {
    case '%':
      std::snprintf(out, size, "%%");
      break;
    case 'Y':
      number("%04lld", m.year);
      break;
    case 'y':
      number("%02lld", ((m.year % 100) + 100) % 100);
      break;
    case 'm':
      number("%02lld", m.month);
      break;
    case 'd':
      number("%02lld", m.day);
      break;
    case 'H':
      number("%02lld", m.hour);
      break;
    case 'I':
      number("%02lld", (m.hour + 11) % 12 + 1);
      break;
    case 'M':
      number("%02lld", m.minute);
      break;
    case 'S':
      number("%02lld", m.second);
      break;
    case 'j':
      number("%03lld", m.yearday + 1);
      break;
    case 'w':
      number("%lld", m.weekday);
      break;
    case 's':
      number("%lld", time);
      break;
    case 'p':
      std::snprintf(out, size, m.hour < 12 ? "AM" : "PM");
      break;
    case 'Z':
      std::snprintf(out, size, "UTC");
      break;
    case 'z':
      std::snprintf(out, size, "+0000");
      break;
    case 'a':
      std::snprintf(out, size, "%.3s", kDays[weekday]);
      break;
    case 'A':
      std::snprintf(out, size, "%s", kDays[weekday]);
      break;
    case 'b':
      std::snprintf(out, size, "%.3s", kMonths[month]);
      break;
    case 'B':
      std::snprintf(out, size, "%s", kMonths[month]);
      break;
    case 'F':
      triple("%04lld-%02lld-%02lld", m.year, m.month, m.day);
      break;
    case 'T':
    case 'X':
      triple("%02lld:%02lld:%02lld", m.hour, m.minute, m.second);
      break;
    case 'D':
    case 'x':
      triple("%02lld/%02lld/%02lld", m.month, m.day, ((m.year % 100) + 100) % 100);
      break;
    case 'c':
      std::snprintf(out, size, "%.3s %.3s %2lld %02lld:%02lld:%02lld %lld", kDays[weekday],
                    kMonths[month], static_cast<long long>(m.day), static_cast<long long>(m.hour),
                    static_cast<long long>(m.minute), static_cast<long long>(m.second),
                    static_cast<long long>(m.year));
      break;
    default:
      return false;
  }
  return true;
}

int push_date_table(lua_State* L, const Moment& m) {
  lua_createtable(L, 0, 9);
  auto set = [L](const char* key, std::int64_t value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
  };
  set("year", m.year);
  set("month", m.month);
  set("day", m.day);
  set("hour", m.hour);
  set("min", m.minute);
  set("sec", m.second);
  set("wday", m.weekday + 1);
  set("yday", m.yearday + 1);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "isdst");
  return 1;
}

/// date(format, time): always UTC, with or without "!"; without a time it is refused
int os_date(lua_State* L) {
  std::size_t size = 0;
  const char* form = luaL_optlstring(L, 1, "%c", &size);
  if (lua_isnoneornil(L, 2)) {
    return refuse_clock(L, "os.date without a time is refused: a replay could not repeat it");
  }
  const std::int64_t time = luaL_checkinteger(L, 2);
  luaL_argcheck(L, time >= -kFurthest && time <= kFurthest, 2, "time out of range");
  luaL_argcheck(L, size <= 1024, 1, "format too long");
  const Moment moment = moment_of(time);
  const char* end = form + size;
  if (form < end && *form == '!') ++form;
  if (end - form == 2 && std::memcmp(form, "*t", 2) == 0) return push_date_table(L, moment);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (; form < end; ++form) {
    if (*form != '%') {
      luaL_addchar(&buffer, *form);
      continue;
    }
    char part[64] = "";
    if (++form == end || !format_part(*form, moment, time, part, sizeof part)) {
      return luaL_argerror(L, 1, "a conversion that is not known here");
    }
    luaL_addstring(&buffer, part);
  }
  luaL_pushresult(&buffer);
  return 1;
}

// --- debug

/// traceback([coroutine,] [message [, level]])
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

// --- utf8

constexpr std::size_t kLongestText = std::size_t{16} << 20;

/// Lua's own function (upvalue 1), for texts that it walks through in a moment.
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
