// core.tree compares a folder tree with an earlier list of its entries, on a worker thread.
#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "host/artifact/file/tree_list.h"
#include "host/artifact/run/git_index.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/vm/guard.h"
#include "lua/vm/state.h"
#include "lua/vm/work.h"

namespace moonlet {

namespace {

using nlohmann::json;

constexpr std::size_t kLargestIndex = std::size_t{2} << 30;

json to_json(const std::vector<TreeChange>& changes) {
  json before = json::object(), after = json::object();
  for (const TreeChange& change : changes) {
    if (change.was != '-') before[change.path] = std::string(1, change.was);
    if (change.is != '-') after[change.path] = std::string(1, change.is);
  }
  return json{{"before", std::move(before)}, {"after", std::move(after)}};
}

Result<json> update(const Dir& top, const Dir& lists, const std::optional<std::string>& old,
                    const std::optional<std::string>& fresh, const TreeList::Options& options) {
  TreeList list;
  if (old) {
    auto loaded = TreeList::load(lists, *old);
    if (!loaded) return loaded.error();
    list = std::move(*loaded);
  }
  const std::size_t files = list.files();
  auto changes = list.update(top, options);
  if (!changes) return changes.error();
  if (fresh) {
    if (auto saved = list.save(lists, *fresh); !saved) return saved.error();
  }
  json result = to_json(*changes);
  result["files"] = files;
  return result;
}

std::optional<std::string> optional_name(lua_State* L, int index) {
  if (lua_isnil(L, index)) return std::nullopt;
  return std::string(check_text(L, index));
}

/// update(top, lists, old?, fresh?, only?, skip?) compares a folder tree with an earlier list of
/// its entries.
/// Returns { before = { path = type }, after = { path = type }, files = count } of the entries that
/// differ between the tree `top` and the list `old`, or nil and an error. Writes a new list of the
/// tree to `fresh`. Both lists are files in the folder `lists`. `only` and `skip` are lists of
/// paths that limit the comparison.
int tree_update(lua_State* L) {
  lua_settop(L, 6);
  const Dir& top = check_dir(L, 1);
  const Dir& lists = check_dir(L, 2);
  auto& old = push_box<std::optional<std::string>>(L);
  auto& fresh = push_box<std::optional<std::string>>(L);
  auto& options = push_box<TreeList::Options>(L);
  old = optional_name(L, 3);
  fresh = optional_name(L, 4);
  for (lua_Integer i = 1; lua_istable(L, 5) && lua_rawgeti(L, 5, i) != LUA_TNIL; ++i) {
    options.only.emplace_back(check_text(L, -1));
    lua_pop(L, 1);
  }
  for (lua_Integer i = 1; lua_istable(L, 6) && lua_rawgeti(L, 6, i) != LUA_TNIL; ++i) {
    options.skip.emplace_back(check_text(L, -1));
    lua_pop(L, 1);
  }
  auto& stop = push_box<std::atomic<bool>>(L, false);
  options.stop = &stop;
  push_work(L) = [&] { return update(top, lists, old, fresh, options); };
  return await_work(L, &stop);
}

/// copy(dir, name, to, to_name) copies a file with its modification time.
/// Returns true, or nil and an error.
int tree_copy(lua_State* L) {
  lua_settop(L, 4);
  const Dir& dir = check_dir(L, 1);
  const std::string_view name = check_text(L, 2);
  const Dir& to = check_dir(L, 3);
  const std::string_view to_name = check_text(L, 4);
  push_work(L) = [&dir, name, &to, to_name]() -> Result<json> {
    const auto copied = dir.copy_file(name, to, to_name);
    if (!copied) return copied.error();
    return json(true);
  };
  return await_work(L);
}

json sizes_of(const Dir& top, const std::vector<std::string>& paths) {
  json sizes = json::array();
  for (const std::string& path : paths) {
    const auto info = top.stat(path);
    const bool is_file = info && info->kind == EntryKind::kFile;
    sizes.push_back(is_file ? static_cast<std::int64_t>(info->size) : -1);
  }
  return sizes;
}

/// sizes(top, paths) returns { size, … } of the files at these paths; -1 for a path that is not a
/// file
int tree_sizes(lua_State* L) {
  lua_settop(L, 2);
  const Dir& top = check_dir(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  auto& paths = push_box<std::vector<std::string>>(L);
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; ++i) {
    paths.emplace_back(check_text(L, -1));
    lua_pop(L, 1);
  }
  lua_settop(L, 3);
  push_work(L) = [&]() -> Result<json> { return sizes_of(top, paths); };
  return await_work(L);
}

Result<json> facts_of_index(const Dir& dir, std::string_view name, std::size_t id_bytes) {
  auto read = dir.read_file(name, kLargestIndex);
  if (!read) return read.error();
  auto facts = git_index_facts(read->cut ? "" : std::string_view(read->bytes), id_bytes);
  if (!facts) return facts.error();
  return json{{"folders", std::move(facts->folders)},
              {"attributes", std::move(facts->attributes)},
              {"has_flags", facts->has_flags},
              {"has_submodules", facts->has_submodules}};
}

/// facts_of_index(dir, name, id_bytes) reads the git index in the file `name`.
/// Returns { folders, attributes, has_flags, has_submodules }, or nil and an error. Object ids in
/// the index have `id_bytes` bytes. Reading the index in C++ takes milliseconds. Git would print
/// megabytes, which Lua would need half a second to parse.
int tree_facts_of_index(lua_State* L) {
  lua_settop(L, 3);
  const Dir& dir = check_dir(L, 1);
  const std::string_view name = check_text(L, 2);
  const auto id_bytes = static_cast<std::size_t>(luaL_checkinteger(L, 3));
  push_work(L) = [&dir, name, id_bytes] { return facts_of_index(dir, name, id_bytes); };
  return await_work(L);
}

}  // namespace

const luaL_Reg kCoreTree[] = {
    {"copy", guard<tree_copy>},
    {"facts_of_index", guard<tree_facts_of_index>},
    {"sizes", guard<tree_sizes>},
    {"update", guard<tree_update>},
    {nullptr, nullptr},
};

}  // namespace moonlet
