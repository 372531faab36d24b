// core.text makes text from outside safe to store, print or compare.
#include <algorithm>
#include <string>

#include "host/base/digest.h"
#include "host/base/encode.h"
#include "host/base/release.h"
#include "host/base/text.h"
#include "host/telemetry/live/width.h"
#include "host/validation/question.h"
#include "lua/core/core.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

int push_string(lua_State* L, const std::string& text) {
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// Pushes the text, then frees the C++ string at once. The garbage collector does not count the
/// memory of a string in a box.
int push_and_release(lua_State* L, std::string& text) {
  push_string(L, text);
  release(text);
  return 1;
}

int text_is_utf8(lua_State* L) {
  lua_pushboolean(L, is_valid_utf8(check_text(L, 1)));
  return 1;
}

/// clean(text) returns the text with each malformed part of UTF-8 replaced by U+FFFD
int text_clean(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  if (is_valid_utf8(text)) {
    lua_settop(L, 1);
    return 1;
  }
  auto& cleaned = push_box<std::string>(L);
  cleaned = to_valid_utf8(text);
  return push_and_release(L, cleaned);
}

/// cut(text, cap [, note]) returns the head and tail of a long text, with a line about the omitted
/// part
int text_cut(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const lua_Integer cap = luaL_checkinteger(L, 2);
  luaL_argcheck(L, cap >= 0, 2, "a number of bytes expected");
  std::size_t size = 0;
  const char* note = luaL_optlstring(L, 3, "", &size);
  auto& cut = push_box<std::string>(L);
  cut = cut_middle(text, static_cast<std::size_t>(cap), {note, size});
  return push_and_release(L, cut);
}

/// strip(text) returns the text without control characters, so that it is safe to print
int text_strip(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  auto& stripped = push_box<std::string>(L);
  stripped = strip_controls(text);
  return push_and_release(L, stripped);
}

/// printable(text [, cap]) returns the text as one line of at most `cap` bytes, with control
/// characters escaped
int text_printable(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const lua_Integer cap = luaL_optinteger(L, 2, 400);
  auto& line = push_box<std::string>(L);
  line = printable(text, static_cast<std::size_t>(cap < 0 ? 0 : cap));
  return push_string(L, line);
}

/// width(text) returns how many columns the text takes on a terminal
int text_width(lua_State* L) {
  lua_pushinteger(L, display_width(check_text(L, 1)));
  return 1;
}

/// fit(text, columns [, in_middle]) truncates a text to `columns` and marks the cut
int text_fit(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const auto columns = static_cast<int>(std::clamp<lua_Integer>(luaL_checkinteger(L, 2), 0, 10000));
  auto& fitted = push_box<std::string>(L);
  fitted =
      lua_toboolean(L, 3) != 0 ? cut_middle_to_width(text, columns) : cut_to_width(text, columns);
  return push_string(L, fitted);
}

/// json_size(text) returns the approximate size of the text as a JSON string, in bytes
int text_json_size(lua_State* L) {
  std::size_t size = 0;
  const char* data = luaL_checklstring(L, 1, &size);
  lua_pushinteger(L, static_cast<lua_Integer>(json_size({data, size})));
  return 1;
}

int text_sha256(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  auto& digest = push_box<std::string>(L);
  digest = sha256_hex(text);
  return push_string(L, digest);
}

int text_gzip(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  auto& packed = push_box<Result<std::string>>(L, Error{});
  {
    const LuaState::HostWork work(L);
    packed = gzip(text);
  }
  if (!packed) return raise_error(L, packed.error());
  return push_and_release(L, *packed);
}

/// base64(text) returns the text in base64, on a single line
int text_base64(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  auto& encoded = push_box<std::string>(L);
  encoded = base64(text);
  return push_and_release(L, encoded);
}

/// place() returns "file:line" of the innermost running function of a script, for error messages.
/// Returns no value if only functions of the standard library run.
/// place(fn) returns "file:line" where the function `fn` is defined. Use it for a function that may
/// have left the stack by a tail call.
int text_place(lua_State* L) {
  if (lua_isfunction(L, 1)) {
    lua_Debug frame;
    lua_pushvalue(L, 1);
    lua_getinfo(L, ">S", &frame);
    if (frame.source[0] != '@') return 0;
    lua_pushfstring(L, frame.linedefined > 0 ? "%s:%d" : "%s", frame.short_src, frame.linedefined);
    return 1;
  }
  return push_place(L) ? 1 : 0;
}

/// question(text) returns the text and the list of options of the last [QUESTION] in an agent's
/// answer.
/// Returns no value if there is no question.
int text_question(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  auto& last = push_box<std::optional<Question>>(L);
  last = last_question(text);
  if (!last) return 0;
  last->text = to_valid_utf8(last->text);
  push_string(L, last->text);
  lua_createtable(L, static_cast<int>(last->options.size()), 0);
  for (std::size_t i = 0; i < last->options.size(); ++i) {
    last->options[i] = to_valid_utf8(last->options[i]);
    push_string(L, last->options[i]);
    lua_rawseti(L, -2, static_cast<lua_Integer>(i + 1));
  }
  return 2;
}

}  // namespace

const luaL_Reg kCoreText[] = {
    {"is_utf8", guard<text_is_utf8>},
    {"clean", guard<text_clean>},
    {"cut", guard<text_cut>},
    {"strip", guard<text_strip>},
    {"printable", guard<text_printable>},
    {"sha256", guard<text_sha256>},
    {"json_size", guard<text_json_size>},
    {"gzip", guard<text_gzip>},
    {"base64", guard<text_base64>},
    {"width", guard<text_width>},
    {"fit", guard<text_fit>},
    {"place", guard<text_place>},
    {"question", guard<text_question>},
    {nullptr, nullptr},
};

}  // namespace moonlet
