// core.run creates, resumes and finishes the current run, and manages its files.
#include "lua/core/run.h"

#include <unistd.h>

#include <algorithm>

#include "host/artifact/run/manifest.h"
#include "host/artifact/run/sidecar.h"
#include "host/base/id.h"
#include "host/base/release.h"
#include "host/driver/run_driver.h"
#include "host/process/client/helper.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/vm/child_spec.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

using HomeBox = std::optional<Home>;

/// home(folder) finds the repository of a folder and returns {handle, top, agent_path, git}. Other
/// functions take the handle as `home`.
/// Writes nothing. Raises an error if the folder does not exist or the repository is damaged.
int run_home(lua_State* L) {
  const std::string_view folder = check_text(L, 1);
  HomeBox& home = push_box<HomeBox>(L);
  auto& failure = push_box<Error>(L);
  if (auto found = Home::find(std::string(folder), ask_git(Services::of(L).environment));
      found.ok()) {
    home = std::move(*found);
  } else {
    failure = found.error();
  }
  if (!home) return raise_error(L, failure);
  auto& agent_path = push_box<std::string>(L);
  agent_path = home->root() + "/.agent";
  lua_createtable(L, 0, 5);
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "handle");
  set_text(L, "top", home->work_tree());
  set_text(L, "agent_path", agent_path);
  set_flag(L, "git", !home->git().top.empty());
  return 1;
}

// The registry keeps the current run's `Home` object alive under this key.
const char kHomeOfRun = 0;

RunDriver::Host host_of(Services& services) {
  return {services.loop, services.clock, services.keeper_program, services.live_keepers(),
          services.request_cancel};
}

/// make_home(home): creates the `.agent` folder if it does not exist
int run_make_home(lua_State* L) {
  Home& home = check_home(L, 1);
  auto& made = push_box<Result<const Dir*>>(L, Error{});
  made = home.make();
  if (!made) return raise_error(L, made.error());
  return 0;
}

void set_request(lua_State* L, RunDriver::Request& request) {
  const auto optional = [L](int index) {
    return lua_isnil(L, index) ? std::string_view() : check_text(L, index);
  };
  request.preset = check_text(L, 4);
  request.task_id = optional(3);
  request.packet = optional(6);
}

int push_driver(lua_State* L, Result<std::unique_ptr<RunDriver>>& driver) {
  if (!driver) return raise_error(L, driver.error());
  Services& services = Services::of(L);
  services.run = std::move(*driver);
  // The run uses the `Home` object, so protect the object from the garbage collector.
  lua_pushvalue(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kHomeOfRun);
  auto& sidecar = push_box<std::string>(L);
  sidecar = services.run->sidecar();
  lua_createtable(L, 0, 4);
  set_text(L, "id", services.run->id());
  set_text(L, "task_id", services.run->task_id());
  set_text(L, "sidecar", sidecar);
  set_text(L, "warning", check_home(L, 2).warning());
  return 1;
}

int resume_locked(lua_State* L, Operation& operation) {
  Result<RunLock>& lock = static_cast<LockWait&>(operation).lock();
  if (!lock) return raise_error(L, lock.error());
  Services& services = Services::of(L);
  if (services.run) luaL_error(L, "a run is being driven already");
  auto& request = push_box<RunDriver::Request>(L);
  set_request(L, request);
  auto& driver = push_box<Result<std::unique_ptr<RunDriver>>>(L, Error{});
  // Resuming may take seconds, because it adopts the keeper of the host that has died.
  driver = LuaState::host_work(L, [&] {
    return RunDriver::resume(host_of(services), check_home(L, 2), check_text(L, 5), request,
                             std::move(*lock));
  });
  return push_driver(L, driver);
}

/// create{home, task_id?, preset, packet?, run?} creates a run, or resumes the run with the id
/// `run`.
/// Returns {id, task_id, sidecar, warning}. Without `task_id`, a packet's run gets the task id
/// `<packet>-<run>`, which names its sidecar.
int run_create(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  for (const char* key : {"home", "task_id", "preset", "run", "packet"}) lua_getfield(L, 1, key);
  Home& home = check_home(L, 2);
  auto& request = push_box<RunDriver::Request>(L);
  set_request(L, request);
  Services& services = Services::of(L);
  if (services.run) luaL_error(L, "a run is being driven already");
  if (lua_isnil(L, 5)) {
    auto& driver = push_box<Result<std::unique_ptr<RunDriver>>>(L, Error{});
    driver =
        LuaState::host_work(L, [&] { return RunDriver::create(host_of(services), home, request); });
    return push_driver(L, driver);
  }
  const std::string_view run_id = check_text(L, 5);
  auto& waiting = push_box<Result<std::shared_ptr<LockWait>>>(L, Error{});
  waiting = RunDriver::lock(services.loop, home, run_id);
  if (!waiting) return raise_error(L, waiting.error());
  Pending& pending = Scheduler::of(L).prepare(L, resume_locked, true);  // may raise an error
  pending.operation = std::move(*waiting);
  return Scheduler::of(L).await(L);
}

/// write_run(text): replaces run.json durably
int run_write_run(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view text = check_text(L, 1);
  auto& written = push_box<Result<void>>(L);
  written = LuaState::host_work(
      L, [&] { return run.write_record(Services::of(L).redactor.apply(text)); });
  if (!written) return raise_error(L, written.error());
  return 0;
}

/// write(path, text, later): redacts the text and replaces a file below `.agent` atomically.
/// The file is durable when write() returns; with `later`, after the next sync().
int run_write(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  const std::string_view text = check_text(L, 2);
  const bool later = lua_toboolean(L, 3) != 0;
  auto& written = push_box<Result<void>>(L);
  written = LuaState::host_work(L, [&] {
    return run.write(path, Services::of(L).redactor.apply(text),
                     later ? Durable::kNo : Durable::kYes);
  });
  if (!written) return raise_error(L, written.error());
  return 0;
}

/// begin_sync(): starts writing files to the disk in the background, so that sync() takes less time
int run_begin_sync(lua_State* L) {
  check_run(L).begin_sync();
  return 0;
}

/// sync(): waits until all files that were written with `later` are on the disk
int run_sync(lua_State* L) {
  RunDriver& run = check_run(L);
  auto& synced = push_box<Result<void>>(L);
  synced = LuaState::host_work(L, [&] { return run.sync(); });
  if (!synced) return raise_error(L, synced.error());
  return 0;
}

/// is_ours() returns false if another process has taken over the run
int run_is_ours(lua_State* L) {
  lua_pushboolean(L, check_run(L).still_ours().ok() ? 1 : 0);
  return 1;
}

/// size(path) returns the size in bytes of a file below `.agent`; no value if there is no such
/// file.
/// Raises an error if the file cannot be accessed.
int run_size(lua_State* L) {
  const RunDriver& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  auto& info = push_box<Result<FileInfo>>(L, Error{});
  info = run.agent().stat(path);
  if (!info && info.error().kind != ErrorKind::kInvalid) return raise_error(L, info.error());
  if (!info || info->kind != EntryKind::kFile) return 0;
  lua_pushinteger(L, static_cast<lua_Integer>(info->size));
  return 1;
}

/// read(path, cap) reads at most `cap` bytes of a file below `.agent`.
/// Returns the text, nil, and whether the file is longer than `cap`. On failure, returns nil and an
/// error.
int run_read(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  const lua_Integer cap = luaL_checkinteger(L, 2);
  auto& read = push_box<Result<FileBytes>>(L, Error{});
  read = run.agent().read_file(path, static_cast<std::size_t>(cap));
  if (!read) {
    lua_pushnil(L);
    push_error(L, read.error());
    return 2;
  }
  lua_pushlstring(L, read->bytes.data(), read->bytes.size());
  release(read->bytes);
  lua_pushnil(L);
  lua_pushboolean(L, read->cut);
  return 3;
}

/// read_tail(path, cap) returns the last `cap` bytes of a file; no value if it cannot be read
int run_read_tail(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  const auto cap = static_cast<std::size_t>(luaL_checkinteger(L, 2));
  auto& text = push_box<std::string>(L);
  auto file = run.agent().open_read(path);
  if (!file) return 0;
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(cap));
  text.resize(static_cast<std::size_t>(std::max<off_t>(0, size - from)));
  const ssize_t got = ::pread(file->get(), text.data(), text.size(), from);
  (void)file->close();  // lua_pushlstring() may raise an error, which would skip the destructor
  if (got < 0) return 0;
  lua_pushlstring(L, text.data(), static_cast<std::size_t>(got));
  release(text);
  return 1;
}

/// make_dirs(path, later): makes a folder below `.agent` and its missing parents.
/// They are durable when make_dirs() returns; with `later`, after the next sync().
int run_make_dirs(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  const Durable durable = lua_toboolean(L, 2) != 0 ? Durable::kNo : Durable::kYes;
  auto& made = push_box<Result<void>>(L);
  made = run.make_dirs(path, durable);
  if (!made) return raise_error(L, made.error());
  return 0;
}

/// sweep(path): removes temporary files that a killed host has left in a folder of the run
int run_sweep(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  run.sweep_temporaries(path);
  return 0;
}

/// remove_temporary(): removes the folders for temporary files. Call it after all children have
/// ended.
int run_remove_temporary(lua_State* L) {
  check_run(L).remove_temporary_folders();
  return 0;
}

/// remove(path): removes a file or folder below `.agent`, if it exists
int run_remove(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  auto& removed = push_box<Result<void>>(L);
  removed = run.remove(path);
  if (!removed) return raise_error(L, removed.error());
  return 0;
}

/// rename(from, to) renames a file below `.agent`. Returns false if the file does not exist.
int run_rename(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view from = check_text(L, 1);
  const std::string_view to = check_text(L, 2);
  auto& renamed = push_box<Result<bool>>(L, Error{});
  renamed = run.rename(from, to);
  if (!renamed) return raise_error(L, renamed.error());
  lua_pushboolean(L, *renamed);
  return 1;
}

/// write_value(name, text, durable): stores a value that is too large for a line of the journal.
/// If `durable` is true, the value is on the disk when write_value() returns. Otherwise, it is on
/// the disk before the next durable record.
int run_write_value(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view name = check_text(L, 1);
  const std::string_view text = check_text(L, 2);
  const Durable durable = lua_toboolean(L, 3) != 0 ? Durable::kYes : Durable::kNo;
  auto& written = push_box<Result<void>>(L);
  written = LuaState::host_work(L, [&] { return run.write_value(name, text, durable); });
  if (!written) return raise_error(L, written.error());
  return 0;
}

/// read_value(name, cap) returns a stored value; no value if it does not exist or is larger than
/// `cap`.
/// Raises an error if it is unreadable.
int run_read_value(lua_State* L) {
  RunDriver& run = check_run(L);
  const std::string_view name = check_text(L, 1);
  const lua_Integer cap = luaL_checkinteger(L, 2);
  auto& read = push_box<Result<FileBytes>>(L, Error{});
  read = run.read_value(name, static_cast<std::size_t>(cap));
  if (!read && read.error().kind != ErrorKind::kInvalid) return raise_error(L, read.error());
  if (!read || read->cut) return 0;
  lua_pushlstring(L, read->bytes.data(), read->bytes.size());
  release(read->bytes);
  return 1;
}

int run_redact(lua_State* L) {
  check_run(L);
  const std::string_view text = check_text(L, 1);
  if (Services::of(L).redactor.empty()) {
    lua_settop(L, 1);
    return 1;
  }
  auto& redacted = push_box<std::string>(L);
  redacted = Services::of(L).redactor.apply(text);
  lua_pushlstring(L, redacted.data(), redacted.size());
  release(redacted);
  return 1;
}

/// step_name(key) returns the name of the folder of the step that has this key
int run_step_name(lua_State* L) {
  const std::string_view key = check_text(L, 1);
  auto& name = push_box<std::string>(L);
  name = step_name(key);
  lua_pushlstring(L, name.data(), name.size());
  return 1;
}

/// end_children(): ends all children and the keeper of the run
int run_end_children(lua_State* L) {
  if (RunDriver* run = Services::of(L).run.get()) run->end_children();
  return 0;
}

/// still_runs() returns true if a child that a dead host has started is still running under its
/// keeper
int run_still_runs(lua_State* L) {
  lua_pushboolean(L, check_run(L).has_running_children());
  return 1;
}

/// discard(): removes a run that has not begun
int run_discard(lua_State* L) {
  Services& services = Services::of(L);
  if (services.run) RunDriver::discard(std::move(services.run));
  return 0;
}

/// finish(unchanged): marks the run as finished and releases its lock.
/// If `unchanged` is true, only releases the lock, as if the host had died: children that may
/// outlive the host continue.
int run_finish(lua_State* L) {
  Services& services = Services::of(L);
  if (!services.run) return 0;
  if (!lua_toboolean(L, 1)) services.run->mark_finished();
  services.run.reset();
  return 0;
}

InputKind kind_from(std::string_view name) {
  for (InputKind kind : {InputKind::kFile, InputKind::kGlob, InputKind::kCmd, InputKind::kDiff}) {
    if (to_string(kind) == name) return kind;
  }
  return InputKind::kText;
}

void read_entry(lua_State* L, int entry, InputEntry& out) {
  out.spec = field_text(L, entry, "spec");
  out.kind = kind_from(field_text(L, entry, "kind"));
  out.path = field_text(L, entry, "path");
  out.sha256 = field_text(L, entry, "sha256");
  out.error = field_text(L, entry, "error");
  lua_getfield(L, entry, "bytes");
  lua_getfield(L, entry, "kept");
  lua_getfield(L, entry, "cut");
  lua_getfield(L, entry, "binary");
  out.bytes = static_cast<std::uint64_t>(lua_tointeger(L, -4));
  out.kept = static_cast<std::uint64_t>(lua_tointeger(L, -3));
  out.cut = lua_toboolean(L, -2) != 0;
  out.binary = lua_toboolean(L, -1) != 0;
  lua_pop(L, 4);
}

/// manifest(inputs) returns the text of input-manifest.md, which lists the inputs
int run_manifest(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  auto& entries = push_box<std::vector<InputEntry>>(L);
  const lua_Integer count = static_cast<lua_Integer>(lua_rawlen(L, 1));
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(L, 1, i);
    luaL_checktype(L, -1, LUA_TTABLE);
    read_entry(L, lua_gettop(L), entries.emplace_back());
    lua_pop(L, 1);
  }
  auto& text = push_box<std::string>(L);
  text = manifest_markdown(entries);
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// check_id(text, what): raises an error if the text is not a valid id. `what` names it in the
/// error.
int run_check_id(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const std::string_view what = check_text(L, 2);
  auto& checked = push_box<Result<void>>(L);
  checked = check_id(text, what);
  if (!checked) return raise_error(L, checked.error());
  return 0;
}

}  // namespace

Home& check_home(lua_State* L, int index) {
  HomeBox* box = to_box<HomeBox>(L, index);
  if (box == nullptr || !box->has_value()) luaL_argerror(L, index, "home expected");
  return **box;
}

const luaL_Reg kCoreRun[] = {
    {"home", guard<run_home>},
    {"make_home", guard<run_make_home>},
    {"create", guard<run_create>},
    {"write_run", guard<run_write_run>},
    {"write", guard<run_write>},
    {"is_ours", guard<run_is_ours>},
    {"size", guard<run_size>},
    {"read", guard<run_read>},
    {"read_tail", guard<run_read_tail>},
    {"remove", guard<run_remove>},
    {"remove_temporary", guard<run_remove_temporary>},
    {"rename", guard<run_rename>},
    {"make_dirs", guard<run_make_dirs>},
    {"sweep", guard<run_sweep>},
    {"begin_sync", guard<run_begin_sync>},
    {"sync", guard<run_sync>},
    {"redact", guard<run_redact>},
    {"step_name", guard<run_step_name>},
    {"end_children", guard<run_end_children>},
    {"still_runs", guard<run_still_runs>},
    {"discard", guard<run_discard>},
    {"finish", guard<run_finish>},
    {"write_value", guard<run_write_value>},
    {"read_value", guard<run_read_value>},
    {"manifest", guard<run_manifest>},
    {"check_id", guard<run_check_id>},
    {nullptr, nullptr},
};

}  // namespace moonlet
