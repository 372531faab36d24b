// core.lines reads a child's output line by line, from the file that the keeper writes.
#include <memory>
#include <vector>

#include "host/artifact/file/line_reader.h"
#include "host/base/release.h"
#include "host/driver/run_driver.h"
#include "lua/core/core.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"

namespace moonlet {

namespace {

constexpr std::size_t kLongestLine = 5 << 20;   // equals stream.line_cap in the standard library
constexpr std::size_t kMostValues = 100'000;    // a line with more values needs over 30 MB in Lua
constexpr std::size_t kCollectEvery = 2 << 20;  // collect garbage after this many bytes of lines

struct Reader {
  LineReader lines;
  std::size_t given = 0;  // bytes of lines since the last garbage collection
  std::uint64_t others_told = 0;
};

using ReaderBox = std::unique_ptr<Reader>;

Reader& check_reader(lua_State* L) {
  ReaderBox* reader = to_box<ReaderBox>(L, 1);
  if (reader == nullptr || *reader == nullptr) luaL_argerror(L, 1, "reader expected");
  return **reader;
}

/// open(path, kind) returns a reader of a file below `.agent`, or nil if the file does not exist.
/// `kind` selects the lines to return: "any", "object" or "json". Raises an error if the file is
/// unreadable.
int lines_open(lua_State* L) {
  static const char* const kKinds[] = {"any", "object", "json", nullptr};
  std::size_t size = 0;
  const char* data = luaL_checklstring(L, 1, &size);
  LineRules rules;
  rules.longest = kLongestLine;
  rules.kind = static_cast<LineKind>(luaL_checkoption(L, 2, "any", kKinds));
  rules.most_values = kMostValues;
  RunDriver& run = check_run(L);
  auto& failure = push_box<Result<void>>(L);
  ReaderBox& reader = push_box<ReaderBox>(L);
  if (auto file = run.agent().open_read({data, size}); file.ok()) {
    reader = std::make_unique<Reader>(Reader{LineReader(std::move(*file), rules)});
  } else if (file.error().kind == ErrorKind::kInvalid) {
    return 0;
  } else {
    failure = file.error();
  }
  if (!failure) return raise_error(L, failure.error());
  return 1;
}

/// close(reader): closes the file. Discards a last line without a newline.
int lines_close(lua_State* L) {
  check_reader(L);
  to_box<ReaderBox>(L, 1)->reset();
  return 0;
}

int push_lines(lua_State* L, Reader& reader, std::vector<Line>& lines) {
  const auto size = static_cast<int>(lines.size());
  lua_createtable(L, size, 0);
  lua_createtable(L, size, 0);
  lua_Integer count = 0;
  for (Line& line : lines) {
    reader.given += line.text.size();
    if (line.skipped > 0) {
      lua_pushinteger(L, static_cast<lua_Integer>(line.skipped));
    } else {
      lua_pushlstring(L, line.text.data(), line.text.size());
    }
    lua_rawseti(L, -3, ++count);
    lua_pushinteger(L, static_cast<lua_Integer>(line.number));
    lua_rawseti(L, -2, count);
    release(line.text);  // do not wait until the garbage collector frees the memory
  }
  const std::uint64_t others = reader.lines.others();
  lua_pushinteger(L, static_cast<lua_Integer>(others - reader.others_told));
  reader.others_told = others;
  lua_pushlstring(L, reader.lines.last_other().data(), reader.lines.last_other().size());
  return 4;
}

/// read(reader, at_end) reads new lines and returns { line, … }, { number, … }, others, last; or
/// nil if there is nothing new. If `at_end` is true, a last line without a newline counts, too.
/// A line that is too long or has too many values is replaced by its size in bytes. `number` is a
/// line's number in the file. `others` counts the nonblank lines since the last read() that are not
/// of the reader's kind. `last` is the end of the newest such line.
int lines_read(lua_State* L) {
  Reader& reader = check_reader(L);
  const bool at_end = lua_toboolean(L, 2) != 0;
  // Collect garbage now. Each earlier line has left many times its size as garbage, and the garbage
  // collector notices only the part that Lua has allocated.
  if (reader.given >= kCollectEvery) {
    lua_gc(L, LUA_GCCOLLECT);
    reader.given = 0;
  }
  auto& lines = push_box<std::vector<Line>>(L);
  auto& more = push_box<Result<bool>>(L, Error{});
  more = reader.lines.read(lines, at_end);
  if (!more) return raise_error(L, more.error());
  if (!*more && lines.empty() && reader.lines.others() == reader.others_told) return 0;
  return push_lines(L, reader, lines);
}

}  // namespace

const luaL_Reg kCoreLines[] = {
    {"open", guard<lines_open>},
    {"read", guard<lines_read>},
    {"close", guard<lines_close>},
    {nullptr, nullptr},
};

}  // namespace moonlet
