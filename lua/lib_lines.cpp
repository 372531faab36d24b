// core.lines: what a child prints, line by line, from the file that the keeper writes it to.
#include <memory>
#include <string>
#include <vector>

#include "host/artifact/line_reader.h"
#include "lua/error.h"
#include "lua/guard.h"
#include "lua/lib.h"
#include "lua/run.h"

namespace moonlet {

namespace {

constexpr std::size_t kLongestLine = 8 << 20;

using ReaderBox = std::unique_ptr<LineReader>;

/// open(path) -> reader of a file beneath `.agent`; nil when there is none yet. Raises when it
/// cannot be read now: that is not the same.
int lines_open(lua_State* L) {
  std::size_t size = 0;
  const char* data = luaL_checklstring(L, 1, &size);
  Run& run = check_run(L);
  auto& failure = push_box<Result<void>>(L);
  ReaderBox& reader = push_box<ReaderBox>(L);
  if (auto file = run.agent->open_read({data, size}); file.ok()) {
    reader = std::make_unique<LineReader>(std::move(*file), kLongestLine);
  } else if (file.error().kind == ErrorKind::kInvalid) {
    return 0;
  } else {
    failure = file.error();
  }
  if (!failure) return raise_error(L, failure.error());
  return 1;
}

/// read(reader, at_end) -> { line, … } or nil when there is nothing new, skipped: the number of
/// lines that were too long until now
int lines_read(lua_State* L) {
  ReaderBox* reader = to_box<ReaderBox>(L, 1);
  if (reader == nullptr || *reader == nullptr) luaL_argerror(L, 1, "reader expected");
  const bool at_end = lua_toboolean(L, 2) != 0;
  auto& lines = push_box<std::vector<std::string>>(L);
  auto& more = push_box<Result<bool>>(L, Error{});
  more = (*reader)->read(lines, at_end);
  if (!more) return raise_error(L, more.error());
  if (!*more && lines.empty()) {
    lua_pushnil(L);
  } else {
    lua_createtable(L, static_cast<int>(lines.size()), 0);
    lua_Integer count = 0;
    for (std::string& line : lines) {
      lua_pushlstring(L, line.data(), line.size());
      lua_rawseti(L, -2, ++count);
      line = {};  // the collector may come late
    }
  }
  lua_pushinteger(L, static_cast<lua_Integer>((*reader)->skipped()));
  return 2;
}

constexpr luaL_Reg kFunctions[] = {
    {"open", guard<lines_open>},
    {"read", guard<lines_read>},
    {nullptr, nullptr},
};

}  // namespace

int luaopen_core_lines(lua_State* L) {
  luaL_newlib(L, kFunctions);
  return 1;
}

}  // namespace moonlet
