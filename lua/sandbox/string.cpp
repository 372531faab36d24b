// Defines a string library that stops at a kill and prints no memory addresses. The functions
// `byte`, `char`, `len` and `sub` are Lua's own, because their run time is limited.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "lua/sandbox/pattern.h"
#include "lua/sandbox/sandbox.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

constexpr std::size_t kChunk = std::size_t{1} << 18;  // check for a kill after this many bytes
constexpr std::size_t kLongestFormat = std::size_t{1} << 20;
constexpr lua_Integer kMostPadding = 16 << 20;

constexpr std::size_t kShortNeedle = 16;  // up to this length, comparing at each offset is cheap

/// Reads an optional position as an offset. Position 1 is the first byte, -1 the last one, and the
/// position after the text is allowed. Returns false if the position is beyond that.
bool start_offset(lua_State* L, int index, std::size_t size, std::size_t& offset) {
  lua_Integer position = luaL_optinteger(L, index, 1);
  const auto length = static_cast<lua_Integer>(size);
  if (position < 0) position = position < -length ? 1 : length + position + 1;
  if (position == 0) position = 1;
  if (position > length + 1) return false;
  offset = static_cast<std::size_t>(position - 1);
  return true;
}

bool is_plain(std::string_view pattern) {
  return pattern.find_first_of("^$*+?.([%-") == std::string_view::npos;
}

/// Returns the first offset of `needle` in `text`, or npos. Takes linear time.
std::size_t find_plain(lua_State* L, std::string_view text, std::string_view needle) {
  if (needle.empty()) return 0;
  if (needle.size() > text.size()) return std::string_view::npos;
  if (needle.size() <= kShortNeedle && text.size() <= kChunk) return text.find(needle);
  // Search a long text in windows, and poll for a kill between them. Windows overlap, so that a
  // match across their border is found.
  const std::size_t window = std::max(std::size_t{4} << 20, 4 * needle.size());
  for (std::size_t from = 0; from + needle.size() <= text.size(); from += window) {
    const std::string_view part = text.substr(from, window + needle.size() - 1);
    const void* found = needle.size() == 1
                            ? std::memchr(part.data(), needle[0], part.size())
                            : memmem(part.data(), part.size(), needle.data(), needle.size());
    if (found != nullptr)
      return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    LuaState::poll(L);
  }
  return std::string_view::npos;
}

int string_find(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const std::string_view wanted = check_text(L, 2);
  std::size_t from = 0;
  if (!start_offset(L, 3, text.size(), from)) {
    luaL_pushfail(L);
    return 1;
  }
  if (lua_toboolean(L, 4) || is_plain(wanted)) {
    const std::size_t found = find_plain(L, text.substr(from), wanted);
    if (found == std::string_view::npos) {
      luaL_pushfail(L);
      return 1;
    }
    lua_pushinteger(L, static_cast<lua_Integer>(from + found + 1));
    lua_pushinteger(L, static_cast<lua_Integer>(from + found + wanted.size()));
    return 2;
  }
  Match match(L, text, wanted);
  if (!match.find(text.data() + from)) {
    luaL_pushfail(L);
    return 1;
  }
  lua_pushinteger(L, match.begin() - text.data() + 1);
  lua_pushinteger(L, match.end() - text.data());
  return 2 + match.push_captures(false);
}

int string_match(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const std::string_view wanted = check_text(L, 2);
  std::size_t from = 0;
  if (start_offset(L, 3, text.size(), from)) {
    Match match(L, text, wanted);
    if (match.find(text.data() + from)) return match.push_captures(true);
  }
  luaL_pushfail(L);
  return 1;
}

/// Walk is the state of a gmatch iterator. It is in a userdata in upvalue 3.
struct Walk {
  std::size_t from;
  std::size_t last_end;  // end of the last match, to skip an empty match there
};
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

int gmatch_step(lua_State* L) {
  const std::string_view text = check_text(L, lua_upvalueindex(1));
  const std::string_view wanted = check_text(L, lua_upvalueindex(2));
  auto& walk = *static_cast<Walk*>(lua_touserdata(L, lua_upvalueindex(3)));
  Match match(L, text, wanted, false);
  while (walk.from <= text.size() && match.find(text.data() + walk.from)) {
    const auto end = static_cast<std::size_t>(match.end() - text.data());
    if (end == walk.last_end) {
      walk.from = static_cast<std::size_t>(match.begin() - text.data()) + 1;
      continue;
    }
    walk.from = walk.last_end = end;
    return match.push_captures(true);
  }
  walk.from = text.size() + 1;
  return 0;
}

int string_gmatch(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  check_text(L, 2);
  std::size_t from = 0;
  if (!start_offset(L, 3, text.size(), from)) from = text.size() + 1;
  lua_settop(L, 2);
  *static_cast<Walk*>(lua_newuserdatauv(L, sizeof(Walk), 0)) = {from, kNone};
  lua_pushcclosure(L, guard<gmatch_step>, 3);
  return 1;
}

/// Adds the replacement string (stack index 3) of gsub to the buffer, with %0 to %9 expanded.
void add_template(lua_State* L, luaL_Buffer& buffer, const Match& match) {
  const std::string_view text = check_text(L, 3);
  for (std::size_t at = 0;;) {
    const std::size_t percent = std::min(text.find('%', at), text.size());
    luaL_addlstring(&buffer, text.data() + at, percent - at);
    if (percent == text.size()) return;
    const char c = percent + 1 < text.size() ? text[percent + 1] : '\0';
    at = percent + 2;
    if (c == '%') {
      luaL_addchar(&buffer, '%');
    } else if (c == '0') {
      luaL_addlstring(&buffer, match.begin(),
                      static_cast<std::size_t>(match.end() - match.begin()));
    } else if (c >= '1' && c <= '9') {
      const int index = c - '1';
      if (index >= match.count(true)) {
        luaL_error(L, "invalid capture index %%%d in replacement string", index + 1);
      }
      match.push_capture(index);
      luaL_tolstring(L, -1, nullptr);
      lua_remove(L, -2);
      luaL_addvalue(&buffer);
    } else {
      luaL_error(L, "invalid use of '%%' in replacement string");
    }
  }
}

/// Adds the replacement of a match to the buffer. Returns false if the match stays unchanged.
bool add_replacement(lua_State* L, luaL_Buffer& buffer, const Match& match) {
  switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
      lua_pushvalue(L, 3);
      lua_call(L, match.push_captures(true), 1);
      break;
    case LUA_TTABLE:
      match.push_capture(0);
      lua_gettable(L, 3);
      break;
    default:
      add_template(L, buffer, match);
      return true;
  }
  const auto size = static_cast<std::size_t>(match.end() - match.begin());
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    luaL_addlstring(&buffer, match.begin(), size);
    return false;
  }
  if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  luaL_addvalue(&buffer);
  return true;
}

int string_gsub(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const std::string_view wanted = check_text(L, 2);
  const int type = lua_type(L, 3);
  luaL_argexpected(
      L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE || type == LUA_TFUNCTION,
      3, "string/function/table");
  const lua_Integer most = luaL_optinteger(L, 4, static_cast<lua_Integer>(text.size()) + 1);
  lua_settop(L, 3);
  Match match(L, text, wanted);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  const char* const end = text.data() + text.size();
  const char* copied = text.data();  // end of the text that is already in the buffer
  const char* from = copied;
  const char* last_end = nullptr;
  lua_Integer count = 0;
  bool changed = false;
  while (count < most && from <= end && match.find(from)) {
    LuaState::poll(L);
    if (match.end() == last_end) {  // skip an empty match right after the last one
      from = match.begin() + 1;
      continue;
    }
    ++count;
    luaL_addlstring(&buffer, copied, static_cast<std::size_t>(match.begin() - copied));
    changed = add_replacement(L, buffer, match) || changed;
    from = copied = last_end = match.end();
    if (match.is_anchored()) break;
  }
  if (!changed) {
    lua_pushvalue(L, 1);
  } else {
    luaL_addlstring(&buffer, copied, static_cast<std::size_t>(end - copied));
    luaL_pushresult(&buffer);
  }
  lua_pushinteger(L, count);
  return 2;
}

/// Replaces the argument at `index` by its text. Lua's %s would show memory addresses.
void make_text(lua_State* L, int index) {
  if (lua_type(L, index) == LUA_TSTRING) return;
  push_text_of(L, index, nullptr);
  lua_replace(L, index);
}

/// string.format(template, …): checks the arguments and calls Lua's function (upvalue 1), which
/// limits widths to 99.
int string_format(lua_State* L) {
  const std::string_view form = check_text(L, 1);
  if (form.size() > kLongestFormat) return luaL_error(L, "format longer than 1 MB");
  LuaState::poll(L);
  const int count = lua_gettop(L);
  int argument = 1;
  for (std::size_t at = form.find('%'); at != std::string_view::npos; at = form.find('%', at)) {
    ++at;
    if (at < form.size() && form[at] == '%') {
      ++at;
      continue;
    }
    while (at < form.size() && std::strchr("-+ #0123456789.", form[at]) != nullptr &&
           form[at] != '\0') {
      ++at;
    }
    if (at == form.size()) break;
    ++argument;
    if (form[at] == 'p') {
      return raise(L, ErrorKind::kDenied, "'%p' is refused: addresses differ from run to run",
                   "tostring(value) numbers the objects");
    }
    if (form[at] == 's' && argument <= count) make_text(L, argument);
  }
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

int string_rep(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const lua_Integer count = luaL_checkinteger(L, 2);
  std::size_t size = 0;
  const char* data = luaL_optlstring(L, 3, "", &size);
  const std::string_view separator(data, size);
  const std::size_t unit = text.size() + separator.size();
  if (count <= 0 || unit == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  const std::size_t cap = LuaState::of(L).memory_cap() / 2;
  if (static_cast<lua_Unsigned>(count) > cap / unit) {
    return luaL_error(L, "resulting string too large");
  }
  const std::size_t total = unit * static_cast<std::size_t>(count) - separator.size();
  luaL_Buffer buffer;
  char* out = luaL_buffinitsize(L, &buffer, total);
  std::memcpy(out, text.data(), text.size());
  if (count > 1) {
    std::memcpy(out + text.size(), separator.data(), separator.size());
    // Copy the finished part behind itself, so that it doubles. Copy at most 4 * kChunk at a time.
    for (std::size_t done = unit; done < total;) {
      const std::size_t piece = std::min({done, total - done, 4 * kChunk});
      std::memcpy(out + done, out, piece);
      done += piece;
      if (piece >= kChunk) LuaState::poll(L);
    }
  }
  luaL_pushresultsize(&buffer, total);
  return 1;
}

template <typename Convert>
int convert(lua_State* L, Convert convert) {
  const std::string_view text = check_text(L, 1);
  luaL_Buffer buffer;
  char* out = luaL_buffinitsize(L, &buffer, text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t stop = std::min(text.size(), at + kChunk);
    for (; at < stop; ++at) out[at] = convert(text, at);
    if (stop < text.size()) LuaState::poll(L);
  }
  luaL_pushresultsize(&buffer, text.size());
  return 1;
}

int string_lower(lua_State* L) {
  return convert(L, [](std::string_view text, std::size_t i) {
    const char c = text[i];
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
}

int string_upper(lua_State* L) {
  return convert(L, [](std::string_view text, std::size_t i) {
    const char c = text[i];
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
}

int string_reverse(lua_State* L) {
  return convert(L, [](std::string_view text, std::size_t i) { return text[text.size() - 1 - i]; });
}

/// Implements `pack`, `packsize` and `unpack`. Checks the format and calls Lua's function (upvalue
/// 1). A long format could block the host, and so could "c1000000000", which is padded byte by
/// byte.
int checked_pack(lua_State* L) {
  const std::string_view form = check_text(L, 1);
  if (form.size() > kLongestFormat / 16) return luaL_error(L, "format longer than 64 KB");
  lua_Integer padding = 0;
  for (std::size_t at = 0; at < form.size(); ++at) {
    if (form[at] != 'c') continue;
    lua_Integer number = 0;
    while (at + 1 < form.size() && form[at + 1] >= '0' && form[at + 1] <= '9') {
      number = std::min(kMostPadding + 1, number * 10 + (form[++at] - '0'));
    }
    padding += number;
    if (padding > kMostPadding) return luaL_error(L, "format with more than 16 MB of fixed size");
  }
  LuaState::poll(L);
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

constexpr luaL_Reg kFunctions[] = {
    {"find", guard<string_find>},
    {"match", guard<string_match>},
    {"gmatch", guard<string_gmatch>},
    {"gsub", guard<string_gsub>},
    {"rep", guard<string_rep>},
    {"lower", guard<string_lower>},
    {"upper", guard<string_upper>},
    {"reverse", guard<string_reverse>},
    {nullptr, nullptr},
};

/// Replaces the function `name` of the library at the top of the stack by `function`, with Lua's
/// function as upvalue 1.
void wrap(lua_State* L, const char* name, lua_CFunction function) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
}

}  // namespace

int luaopen_sandbox_string(lua_State* L) {
  lua_pushcfunction(L, luaopen_string);
  lua_call(L, 0, 1);
  luaL_setfuncs(L, kFunctions, 0);
  wrap(L, "format", guard<string_format>);
  for (const char* name : {"pack", "packsize", "unpack"}) wrap(L, name, guard<checked_pack>);
  lua_pushnil(L);
  lua_setfield(L, -2, "dump");
  return 1;
}

}  // namespace moonlet
