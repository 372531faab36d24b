// core.run creates, resumes and finishes the current run, and manages its files.
#include "lua/core/run.h"

#include <unistd.h>

#include <algorithm>

#include "host/artifact/run/manifest.h"
#include "host/artifact/run/sidecar.h"
#include "host/base/id.h"
#include "host/driver/run_driver.h"
#include "host/process/client/helper.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/vm/bind.h"
#include "lua/vm/child_spec.h"
#include "lua/vm/scheduler.h"

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
Result<void> run_make_home(Home& home) {
  auto made = home.make();
  return made ? Result<void>() : made.error();
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
Result<void> run_write_run(RunDriver& run, const Services& services, std::string_view text) {
  return run.write_record(services.redactor.apply(text));
}

/// write(path, text, later): redacts the text and replaces a file below `.agent` atomically.
/// The file is durable when write() returns; with `later`, after the next sync().
Result<void> run_write(RunDriver& run, const Services& services, std::string_view path,
                       std::string_view text, bool later) {
  return run.write(path, services.redactor.apply(text), later ? Durable::kNo : Durable::kYes);
}

/// is_ours() returns false if another process has taken over the run
bool run_is_ours(RunDriver& run) { return run.still_ours().ok(); }

/// size(path) returns the size in bytes of a file below `.agent`; no value if there is no such
/// file.
/// Raises an error if the file cannot be accessed.
Result<std::optional<std::uint64_t>> run_size(const RunDriver& run, std::string_view path) {
  auto info = run.agent().stat(path);
  if (!info && info.error().kind != ErrorKind::kInvalid) return info.error();
  if (!info || info->kind != EntryKind::kFile) return std::optional<std::uint64_t>();
  return std::optional(info->size);
}

/// read(path, cap) reads at most `cap` bytes of a file below `.agent`.
/// Returns the text, nil, and whether the file is longer than `cap`. On failure, returns nil and an
/// error.
Result<std::tuple<std::string, std::nullptr_t, bool>> run_read(const RunDriver& run,
                                                               std::string_view path,
                                                               std::size_t cap) {
  auto read = run.agent().read_file(path, cap);
  if (!read) return read.error();
  return std::tuple(std::move(read->bytes), nullptr, read->cut);
}

/// read_tail(path, cap) returns the last `cap` bytes of a file; no value if it cannot be read
std::optional<std::string> run_read_tail(const RunDriver& run, std::string_view path,
                                         std::size_t cap) {
  auto file = run.agent().open_read(path);
  if (!file) return std::nullopt;
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(cap));
  std::string text(static_cast<std::size_t>(std::max<off_t>(0, size - from)), '\0');
  const ssize_t got = ::pread(file->get(), text.data(), text.size(), from);
  if (got < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(got));
  return text;
}

/// make_dirs(path, later): makes a folder below `.agent` and its missing parents.
/// They are durable when make_dirs() returns; with `later`, after the next sync().
Result<void> run_make_dirs(RunDriver& run, std::string_view path, bool later) {
  return run.make_dirs(path, later ? Durable::kNo : Durable::kYes);
}

/// read_value(name, cap) returns a stored value; no value if it does not exist or is larger than
/// `cap`.
/// Raises an error if it is unreadable.
Result<std::optional<std::string>> run_read_value(const RunDriver& run, std::string_view name,
                                                  std::size_t cap) {
  auto read = run.read_value(name, cap);
  if (!read && read.error().kind != ErrorKind::kInvalid) return read.error();
  if (!read || read->cut) return std::optional<std::string>();
  return std::optional(std::move(read->bytes));
}

std::string redacted(const Services& services, std::string_view text) {
  return services.redactor.apply(text);
}

int run_redact(lua_State* L) {
  check_run(L);
  if (Services::of(L).redactor.empty()) return lua_settop(L, 1), 1;
  return raising<redacted>(L);
}

/// end_children(): ends all children and the keeper of the run
void run_end_children(Services& services) {
  if (services.run) services.run->end_children();
}

/// discard(): removes a run that has not begun
void run_discard(Services& services) {
  if (services.run) RunDriver::discard(std::move(services.run));
}

/// finish(unchanged): marks the run as finished and releases its lock.
/// If `unchanged` is true, only releases the lock, as if the host had died: children that may
/// outlive the host continue.
void run_finish(Services& services, bool unchanged) {
  if (services.run && !unchanged) services.run->mark_finished();
  services.run.reset();
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

}  // namespace

Home& check_home(lua_State* L, int index) {
  HomeBox* box = to_box<HomeBox>(L, index);
  if (box == nullptr || !box->has_value()) luaL_argerror(L, index, "home expected");
  return **box;
}

const luaL_Reg kCoreRun[] = {
    {"home", guard<run_home>},
    {"make_home", raising<run_make_home>},
    {"create", guard<run_create>},
    {"write_run", raising<run_write_run, kHostWork>},
    {"write", raising<run_write, kHostWork>},
    {"is_ours", raising<run_is_ours>},
    {"size", raising<run_size>},
    {"read", returning<run_read>},
    {"read_tail", raising<run_read_tail>},
    {"remove", raising<&RunDriver::remove>},
    {"remove_temporary", raising<&RunDriver::remove_temporary_folders>},
    {"rename", raising<&RunDriver::rename>},
    {"make_dirs", raising<run_make_dirs>},
    {"sweep", raising<&RunDriver::sweep_temporaries>},
    {"begin_sync", raising<&RunDriver::begin_sync>},
    {"sync", raising<&RunDriver::sync, kHostWork>},
    {"redact", guard<run_redact>},
    {"step_name", raising<step_name>},
    {"end_children", raising<run_end_children>},
    {"still_runs", raising<&RunDriver::has_running_children>},
    {"discard", raising<run_discard>},
    {"finish", raising<run_finish>},
    {"write_value", raising<&RunDriver::write_value, kHostWork>},
    {"read_value", raising<run_read_value>},
    {"manifest", guard<run_manifest>},
    {"check_id", raising<check_id>},
    {nullptr, nullptr},
};

}  // namespace moonlet
