// core.archive packs the record of a run into an archive file, and extracts it.
// If a file is unreadable or refused, functions return nil and an error.

#include "host/artifact/file/archive.h"
#include "host/artifact/run/adopt.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/core/run.h"
#include "lua/vm/bind.h"
#include "lua/vm/child_spec.h"

namespace moonlet {

using Files = std::vector<ArchivedFile>;

/// A list of { name, from?, bytes, sha256? }.
template <>
struct Argument<const Files&> {
  static constexpr int kCount = 1;
  static const Files& read(lua_State* L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    auto& files = push_box<Files>(L);
    for (lua_Integer i = 1; lua_rawgeti(L, index, i) != LUA_TNIL; ++i) {
      luaL_checktype(L, -1, LUA_TTABLE);
      const int entry = lua_gettop(L);
      ArchivedFile& file = files.emplace_back();
      file.name = field_text(L, entry, "name");
      file.from = field_text(L, entry, "from");
      file.sha256 = field_text(L, entry, "sha256");
      file.bytes = static_cast<std::uint64_t>(field_integer(L, entry, "bytes", 0));
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return files;
  }
};

namespace {

/// header(name, bytes) returns the header block that precedes a file in an archive
Result<std::string> archive_header_of(std::string_view name, lua_Integer bytes) {
  if (is_archivable(name) && bytes >= 0) {
    return archive_header(name, static_cast<std::uint64_t>(bytes));
  }
  return Error{ErrorKind::kInvalid, "a name that fits and 0 or more bytes expected", {}, {}};
}

/// adopt(home, staged, id, record, body) makes the verified folder `staged` the run `id` of this
/// repository. `record` is the text of its run.json. `body` is a record to append to its journal.
/// Returns true, false if the id is taken, or nil and an error.
Result<bool> archive_adopt(Services& services, Home& home, std::string_view staged,
                           std::string_view id, std::string_view record, std::string_view body) {
  auto agent = home.existing();
  if (!agent) return agent.error();
  if (*agent == nullptr) return Error{ErrorKind::kInvalid, "there is no .agent folder", {}, {}};
  return adopt_run(services.loop, **agent, {staged, id, record, std::string(body)});
}

}  // namespace

const luaL_Reg kCoreArchive[] = {
    {"fits", raising<is_archivable>},
    {"header", raising<archive_header_of>},
    {"write", working<write_archive>},
    {"manifest", returning<read_archive_manifest>},
    {"extract", working<extract_archive>},
    {"adopt", returning<archive_adopt, kHostWork>},
    {nullptr, nullptr},
};

}  // namespace moonlet
