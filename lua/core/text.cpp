// core.text makes text from outside safe to store, print or compare.
#include <algorithm>

#include "host/base/digest.h"
#include "host/base/encode.h"
#include "host/base/text.h"
#include "host/telemetry/live/width.h"
#include "host/validation/question.h"
#include "lua/core/core.h"
#include "lua/vm/bind.h"

namespace moonlet {

namespace {

/// clean(text) returns the text with each malformed part of UTF-8 replaced by U+FFFD
int text_clean(lua_State* L) {
  if (is_valid_utf8(check_text(L, 1))) return lua_settop(L, 1), 1;
  return raising<to_valid_utf8>(L);
}

/// cut(text, cap [, note]) returns the head and tail of a long text, with a line about the omitted
/// part
std::string text_cut(std::string_view text, lua_Integer cap, std::optional<std::string_view> note) {
  return cut_middle(text, static_cast<std::size_t>(std::max<lua_Integer>(0, cap)),
                    note.value_or(""));
}

/// printable(text [, cap]) returns the text as one line of at most `cap` bytes, with control
/// characters escaped
std::string text_printable(std::string_view text, std::optional<lua_Integer> cap) {
  return printable(text, static_cast<std::size_t>(std::max<lua_Integer>(0, cap.value_or(400))));
}

/// fit(text, columns [, in_middle]) truncates a text to `columns` and marks the cut
std::string text_fit(std::string_view text, lua_Integer columns, bool in_middle) {
  const int width = static_cast<int>(std::clamp<lua_Integer>(columns, 0, 10000));
  return in_middle ? cut_middle_to_width(text, width) : cut_to_width(text, width);
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
using Questions = std::optional<std::tuple<std::string, std::vector<std::string>>>;

Questions text_question(std::string_view text) {
  auto last = last_question(text);
  if (!last) return std::nullopt;
  for (std::string& option : last->options) option = to_valid_utf8(option);
  return std::tuple(to_valid_utf8(last->text), std::move(last->options));
}

}  // namespace

const luaL_Reg kCoreText[] = {
    {"is_utf8", raising<is_valid_utf8>},
    {"clean", guard<text_clean>},
    {"cut", raising<text_cut>},
    {"strip", raising<strip_controls>},
    {"printable", raising<text_printable>},
    {"sha256", raising<sha256_hex>},
    {"json_size", raising<json_size>},
    {"gzip", raising<gzip, kHostWork>},
    {"base64", raising<base64>},
    {"width", raising<display_width>},
    {"fit", raising<text_fit>},
    {"place", guard<text_place>},
    {"question", raising<text_question>},
    {nullptr, nullptr},
};

}  // namespace moonlet
