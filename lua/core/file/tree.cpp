// core.tree compares a folder tree with an earlier list of its entries, on a worker thread.

#include "host/artifact/file/tree_list.h"
#include "host/artifact/run/git_index.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/vm/bind.h"

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

/// update(top, lists, old?, fresh?, only?, skip?) compares a folder tree with an earlier list of
/// its entries.
/// Returns { before = { path = type }, after = { path = type }, files = count } of the entries that
/// differ between the tree `top` and the list `old`, or nil and an error. Writes a new list of the
/// tree to `fresh`. Both lists are files in the folder `lists`. `only` and `skip` are lists of
/// paths that limit the comparison.
Result<json> update(const Dir& top, const Dir& lists, std::optional<std::string_view> old,
                    std::optional<std::string_view> fresh, const std::vector<std::string>* only,
                    const std::vector<std::string>* skip, std::atomic<bool>& stop) {
  TreeList::Options options;
  if (only != nullptr) options.only = *only;
  if (skip != nullptr) options.skip = *skip;
  options.stop = &stop;
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

/// copy(dir, name, to, to_name) copies a file with its modification time.
/// Returns true, or nil and an error.
Result<json> copy(const Dir& dir, std::string_view name, const Dir& to, std::string_view to_name) {
  if (const auto copied = dir.copy_file(name, to, to_name); !copied) return copied.error();
  return json(true);
}

/// sizes(top, paths) returns { size, … } of the files at these paths; -1 for a path that is not a
/// file
Result<json> sizes(const Dir& top, const std::vector<std::string>& paths) {
  json sizes = json::array();
  for (const std::string& path : paths) {
    const auto info = top.stat(path);
    const bool is_file = info && info->kind == EntryKind::kFile;
    sizes.push_back(is_file ? static_cast<std::int64_t>(info->size) : -1);
  }
  return sizes;
}

/// facts_of_index(dir, name, id_bytes) reads the git index in the file `name`.
/// Returns { folders, attributes, has_flags, has_submodules }, or nil and an error. Object ids in
/// the index have `id_bytes` bytes. Reading the index in C++ takes milliseconds. Git would print
/// megabytes, which Lua would need half a second to parse.
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

}  // namespace

const luaL_Reg kCoreTree[] = {
    {"copy", working<copy>},   {"facts_of_index", working<facts_of_index>},
    {"sizes", working<sizes>}, {"update", working<update>},
    {nullptr, nullptr},
};

}  // namespace moonlet
