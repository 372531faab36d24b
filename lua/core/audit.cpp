// core.audit compares the journal of a run with the files on disk.
// Only record() writes, and only if no process is executing the run.

#include "host/process/client/audit.h"
#include "host/artifact/file/tree_digest.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/core/run.h"
#include "lua/vm/bind.h"
#include "lua/vm/scheduler.h"

namespace moonlet {

namespace {

using nlohmann::json;

/// story(home, run, value?) compares a run's journal with its files and returns the result.
/// The table has the fields of audit_run(). `value` names a large value that run.json refers to.
Result<json> audit_story(Home& home, std::string_view id, std::optional<std::string_view> value,
                         std::atomic<bool>& stop) {
  auto run = RunRegistry(home).open(id);
  if (!run) return run.error();
  return audit_run(run->dir(), std::string(value.value_or("")), &stop);
}

json to_json(const TreeEntry& entry) {
  json value = {{"bytes", entry.bytes}};
  if (!entry.sha256.empty()) value["sha256"] = entry.sha256;
  if (entry.unhashed) value["unhashed"] = true;
  if (!entry.error.empty()) value["error"] = entry.error;
  if (entry.kind == TreeEntry::Kind::kLink) value["link"] = true;
  if (entry.kind == TreeEntry::Kind::kSpecial) value["special"] = true;
  if (entry.kind == TreeEntry::Kind::kFolder) value["files"] = entry.files;
  return value;
}

/// tree(dir, path, {name, …}, fold?) hashes a folder and returns { files = { path = … }, fold? }.
/// Skips the named files. Lists large files by size, without a hash. Folders at the depth `fold`
/// become single entries. Without `fold`, the depth depends on the number of files.
Result<json> audit_tree(const Dir& root, std::string_view path,
                        const std::vector<std::string>& skip, std::optional<int> fold,
                        std::atomic<bool>& stop) {
  TreeOptions options;
  options.skip = skip;
  options.fold = fold.value_or(-1);
  options.stop = &stop;
  auto dir = root.dir(path);
  if (!dir) return dir.error();
  auto digest = digest_tree(*dir, options);
  if (!digest) return digest.error();
  json files = json::object();
  for (const TreeEntry& entry : digest->entries) files[entry.path] = to_json(entry);
  json result = {{"files", std::move(files)}};
  if (digest->fold >= 0) result["fold"] = digest->fold;
  return result;
}

/// beginning(dir, path, bytes?, durable?) hashes a file or its first bytes: { bytes, sha256 }.
/// With `durable`, first waits until these bytes are on the disk.
Result<json> audit_beginning(const Dir& root, std::string_view path,
                             std::optional<std::uint64_t> bytes, Durable durable) {
  auto digest = digest_file(root, path, bytes, durable);
  if (!digest) return digest.error();
  return json{{"bytes", digest->bytes}, {"sha256", digest->sha256}};
}

int record_locked(lua_State* L, Operation& operation) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  Result<RunLock>& lock = static_cast<LockWait&>(operation).lock();
  auto& amended = push_box<Result<Amended>>(L, Error{});
  const RunRegistry registry(home);
  if (lock) {
    Services& services = Services::of(L);
    const auto optional = [L](int index) {
      return lua_isnil(L, index) ? std::string_view() : check_text(L, index);
    };
    auto& wanted = push_box<Amendment>(L);
    wanted = {services.redactor.apply(check_text(L, 3)), optional(4), optional(5), optional(6)};
    amended = LuaState::host_work(L, [&] {
      const RunLock held = std::move(*lock);  // releases the lock on return, not at a collection
      return registry.amend(services.loop, id, held, std::move(wanted));
    });
  } else if (registry.holder(id) != 0) {
    amended = Amended{false, lock.error()};
  } else {
    amended = lock.error();
  }
  if (!amended) return detail::push_failure(L, amended.error());
  lua_pushboolean(L, amended->done);
  if (!amended->unrecorded) return 1;
  push_error(L, *amended->unrecorded);
  return 2;
}

/// record(home, run, body, was?, path?, text?) adds a record to the journal of a run. If `path` is
/// given, then writes `text` durably to this file. Returns true, or nil and an error.
/// Returns false if a process drives the run, or if the hash of run.json is not `was`.
/// If the journal is damaged or cannot hold the record, only writes the file, and returns true and
/// the error. Without `path`, it then returns nil and the error.
int audit_record(lua_State* L) {
  lua_settop(L, 6);
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  (void)check_text(L, 3);
  for (int index = 4; index <= 6; ++index) {
    if (!lua_isnil(L, index)) (void)check_text(L, index);
  }
  // Call prepare() before lock(), because prepare() raises an error if the task cannot await here,
  // and then the lock must not be taken.
  Pending& pending = Scheduler::of(L).prepare(L, record_locked, true);
  auto& waiting = push_box<Result<std::shared_ptr<LockWait>>>(L, Error{});
  waiting = RunRegistry(home).lock(Services::of(L).loop, id);
  if (!waiting) return detail::push_failure(L, waiting.error());
  pending.operation = std::move(*waiting);
  lua_pop(L, 1);
  return Scheduler::of(L).await(L);
}

}  // namespace

const luaL_Reg kCoreAudit[] = {
    {"story", working<audit_story>},
    {"tree", working<audit_tree>},
    {"beginning", working<audit_beginning>},
    {"record", guard<audit_record>},
    {nullptr, nullptr},
};

}  // namespace moonlet
