// core.archive packs the record of a run into an archive file, and extracts it.
// If a file is unreadable or refused, functions return nil and an error.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/artifact/file/archive.h"
#include "host/artifact/run/adopt.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/core/run.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/work.h"

namespace moonlet {

namespace {

using nlohmann::json;
using Files = std::vector<ArchivedFile>;

int push_failure(lua_State* L, const Error& error) {
  lua_pushnil(L);
  push_error(L, error);
  return 2;
}

/// Returns the string in field `name` of the table at the top of the stack; "" if it is missing.
std::string_view field_text(lua_State* L, const char* name) {
  lua_getfield(L, -1, name);
  const std::string_view text = lua_isnil(L, -1) ? std::string_view() : check_text(L, -1);
  lua_pop(L, 1);
  return text;
}

Files& check_files(lua_State* L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  auto& files = push_box<Files>(L);
  const auto count = static_cast<lua_Integer>(lua_rawlen(L, index));
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(L, index, i);
    luaL_checktype(L, -1, LUA_TTABLE);
    ArchivedFile& file = files.emplace_back();
    file.name = field_text(L, "name");
    file.from = field_text(L, "from");
    file.sha256 = field_text(L, "sha256");
    lua_getfield(L, -1, "bytes");
    const lua_Integer bytes = luaL_checkinteger(L, -1);
    luaL_argcheck(L, bytes >= 0, index, "bytes below 0");
    file.bytes = static_cast<std::uint64_t>(bytes);
    lua_pop(L, 2);
  }
  return files;
}

Result<json> as_json(const Result<void>& done) {
  if (!done) return done.error();
  return json(true);
}

int archive_fits(lua_State* L) {
  lua_pushboolean(L, is_archivable(check_text(L, 1)));
  return 1;
}

/// header(name, bytes) returns the header block that precedes a file in an archive
int archive_header_of(lua_State* L) {
  const std::string_view name = check_text(L, 1);
  const lua_Integer bytes = luaL_checkinteger(L, 2);
  luaL_argcheck(L, is_archivable(name), 1, "a name that fits expected");
  luaL_argcheck(L, bytes >= 0, 2, "0 or more expected");
  auto& block = push_box<std::string>(L);
  block = archive_header(name, static_cast<std::uint64_t>(bytes));
  lua_pushlstring(L, block.data(), block.size());
  return 1;
}

/// write(from, manifest, { { name, from, bytes, sha256 }, … }, dir, name) writes the archive
/// `name`.
/// Returns true, or nil and an error.
int archive_write(lua_State* L) {
  const Dir& from = check_dir(L, 1);
  const std::string_view manifest = check_text(L, 2);
  const Dir& out = check_dir(L, 4);
  const std::string_view name = check_text(L, 5);
  const Files& files = check_files(L, 3);
  push_work(L) = [&from, manifest, &files, &out, name] {
    return as_json(write_archive(from, manifest, files, out, name));
  };
  return await_work(L);
}

/// manifest(dir, name) returns the text of an archive's manifest, or nil and an error
int archive_manifest(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view name = check_text(L, 2);
  auto& manifest = push_box<Result<std::string>>(L, Error{});
  manifest = read_archive_manifest(dir, name);
  if (!manifest) return push_failure(L, manifest.error());
  lua_pushlstring(L, manifest->data(), manifest->size());
  return 1;
}

/// extract(dir, name, manifest, { { name, bytes, sha256 }, … }, into) extracts an archive.
/// Returns true, or nil and an error.
int archive_extract(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view name = check_text(L, 2);
  const std::string_view manifest = check_text(L, 3);
  const Dir& into = check_dir(L, 5);
  const Files& files = check_files(L, 4);
  push_work(L) = [&dir, name, manifest, &files, &into] {
    return as_json(extract_archive(dir, name, manifest, files, into));
  };
  return await_work(L);
}

/// adopt(home, staged, id, record, body) makes the verified folder `staged` the run `id` of this
/// repository. `record` is the text of its run.json. `body` is a record to append to its journal.
/// Returns true, false if the id is taken, or nil and an error.
int archive_adopt(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view staged = check_text(L, 2);
  const std::string_view id = check_text(L, 3);
  const std::string_view record = check_text(L, 4);
  auto& body = push_box<std::string>(L, check_text(L, 5));
  auto& adopted = push_box<Result<bool>>(L, Error{});
  Services& services = Services::of(L);
  adopted = LuaState::host_work(L, [&]() -> Result<bool> {
    auto agent = home.existing();
    if (!agent) return agent.error();
    if (*agent == nullptr) return Error{ErrorKind::kInvalid, "there is no .agent folder", {}, {}};
    return adopt_run(services.loop, **agent, {staged, id, record, std::move(body)});
  });
  if (!adopted) return push_failure(L, adopted.error());
  lua_pushboolean(L, *adopted);
  return 1;
}

}  // namespace

const luaL_Reg kCoreArchive[] = {
    {"fits", guard<archive_fits>},
    {"header", guard<archive_header_of>},
    {"write", guard<archive_write>},
    {"manifest", guard<archive_manifest>},
    {"extract", guard<archive_extract>},
    {"adopt", guard<archive_adopt>},
    {nullptr, nullptr},
};

}  // namespace moonlet
