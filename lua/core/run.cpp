// core.run: the directories of the run that is being driven, and what other runs left behind.
#include "lua/core/run.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "host/artifact/run/manifest.h"
#include "host/artifact/run/sidecar.h"
#include "host/base/id.h"
#include "host/base/release.h"
#include "host/process/client/sweep.h"
#include "host/process/client/temporary_folders.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/vm/child_spec.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/run.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

using HomeBox = std::optional<Home>;

void set_text(lua_State* L, const char* key, const std::string& text) {
  lua_pushlstring(L, text.data(), text.size());
  lua_setfield(L, -2, key);
}

/// home(folder) -> {handle, top, agent_path, git}: finds it, writes nothing. Raises for a folder
/// that is not there and for a damaged repository.
int run_home(lua_State* L) {
  const std::string_view folder = check_text(L, 1);
  HomeBox& home = push_box<HomeBox>(L);
  auto& failure = push_box<Error>(L);
  if (auto found = Home::find(std::string(folder)); found.ok()) {
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
  lua_pushboolean(L, !home->git().top.empty());
  lua_setfield(L, -2, "git");
  return 1;
}

// The place in the registry of the home that the run which is driven, or was driven last, lies in.
const char kHomeOfRun = 0;

void discard_run(Services& services) {
  const Run& run = *services.run;
  const Dir* agent = run.agent;
  const std::string sidecar = "sidecars/" + run.task_id;
  const std::string id = run.dir->id();
  services.drop_run();
  (void)agent->remove_tree(sidecar);
  (void)agent->remove_tree("runs/" + id);
  (void)Runs(*agent).mark_finished(id);
}

/// A command that looks for what dead hosts left may hold the lock of a run that was just made, for
/// as long as it takes to see that nothing is there; it then calls the run finished.
Result<RunLock> lock_new_run(const Runs& runs, const RunDir& run) {
  constexpr int kTries = 400;
  constexpr int kPauseMs = 5;
  auto lock = run.lock();
  for (int i = 0; !lock && i < kTries; ++i) {
    ::poll(nullptr, 0, kPauseMs);
    lock = run.lock();
  }
  if (!lock) return lock;
  if (auto marked = runs.mark_live(run.id()); !marked) return marked.error();
  return lock;
}

constexpr int kMostDraws = 16;  // of a task id

/// Everything create() does that may fail, without touching Lua.
Result<void> create_run(Services& services, Home& home, std::string_view task_id,
                        std::string_view preset, std::string_view run_id, std::string_view packet) {
  auto agent = home.make();
  if (!agent) return agent.error();
  auto run = std::make_unique<Run>();
  run->agent = *agent;
  Runs runs(**agent);
  run->label = preset;
  const bool run_is_new = run_id.empty();
  std::uint64_t taken = 0;
  if (run_is_new) taken = services.live_keepers().highest((*agent)->path_of("runs"), 'R');
  if (run_is_new && task_id.empty() && !packet.empty()) {
    auto created = runs.create(taken);
    if (!created) return created.error();
    run->dir = std::move(*created);
    run->task_id = std::string(packet) + "-" + run->dir->id();
    if (auto sidecar = make_sidecar(**agent, run->task_id); !sidecar) {
      (void)(*agent)->remove_tree("runs/" + run->dir->id());
      return sidecar.error();
    }
  } else if (run_is_new) {
    // The sidecar comes first: its id is the user's, and a taken one must leave nothing behind.
    const auto make = [&]() -> Result<void> {
      run->task_id = task_id.empty() ? default_task_id(preset, services.clock.wall_ms())
                                     : std::string(task_id);
      return make_sidecar(**agent, run->task_id);
    };
    auto sidecar = make();
    // Runs that begin in the same second may draw the same id.
    for (int again = 0; again < kMostDraws && task_id.empty() && !sidecar &&
                        sidecar.error().kind == ErrorKind::kInvalid;
         ++again) {
      sidecar = make();
    }
    if (!sidecar) return sidecar.error();
    auto created = runs.create(taken);
    if (!created) {
      (void)(*agent)->remove_tree("sidecars/" + run->task_id);
      return created.error();
    }
    run->dir = std::move(*created);
  } else {
    auto opened = runs.open(run_id);
    if (!opened) return opened.error();
    run->dir = std::move(*opened);
    run->task_id = task_id;
    run->resumed = true;
    if (auto marked = runs.mark_live(run->dir->id()); !marked) return marked;
  }
  auto lock = run_is_new ? lock_new_run(runs, *run->dir) : run->dir->lock(TakeOver::kStopped);
  if (!lock && run_is_new) {
    (void)(*agent)->remove_tree("sidecars/" + run->task_id);
    (void)(*agent)->remove_tree("runs/" + run->dir->id());
    (void)runs.mark_finished(run->dir->id());
  }
  if (!lock) return lock.error();
  run->lock = std::move(*lock);
  // This comes before the script receives a value: a stopped driver that goes on is then refused.
  if (auto adopted = run->adopt(services); !adopted) return adopted;
  run->cancel = std::make_unique<CancelRequest>(services.loop.raw(), run->dir->dir(),
                                                services.request_cancel);
  services.run = std::move(run);
  return {};
}

/// make_home(home): makes `.agent` where there is none yet
int run_make_home(lua_State* L) {
  Home& home = check_home(L, 1);
  auto& made = push_box<Result<const Dir*>>(L, Error{});
  made = home.make();
  if (!made) return raise_error(L, made.error());
  return 0;
}

/// create{home, task_id?, preset, packet?, run?} -> {id, task_id, sidecar}: a new run, or one that
/// goes on; without a task id the sidecar of a packet's run is named `<packet>-<run>`
int run_create(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "home");
  lua_getfield(L, 1, "task_id");
  lua_getfield(L, 1, "preset");
  lua_getfield(L, 1, "run");
  lua_getfield(L, 1, "packet");
  Home& home = check_home(L, 2);
  const std::string_view task_id = lua_isnil(L, 3) ? std::string_view{} : check_text(L, 3);
  const std::string_view preset = check_text(L, 4);
  const std::string_view run_id = lua_isnil(L, 5) ? std::string_view{} : check_text(L, 5);
  const std::string_view packet = lua_isnil(L, 6) ? std::string_view{} : check_text(L, 6);
  Services& services = Services::of(L);
  if (services.run) luaL_error(L, "a run is being driven already");
  auto& created = push_box<Result<void>>(L);
  // Taking over what a host before this one has left may take a while.
  created = LuaState::host_work(
      L, [&] { return create_run(services, home, task_id, preset, run_id, packet); });
  if (!created) return raise_error(L, created.error());
  // The run writes into the home's folder, whoever else forgets the home.
  lua_pushvalue(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kHomeOfRun);
  auto& sidecar = push_box<std::string>(L);
  sidecar = "sidecars/" + services.run->task_id;
  lua_createtable(L, 0, 4);
  set_text(L, "id", services.run->dir->id());
  set_text(L, "task_id", services.run->task_id);
  set_text(L, "sidecar", sidecar);
  set_text(L, "warning", home.warning());
  return 1;
}

/// write_run(text): run.json, durably
int run_write_run(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view text = check_text(L, 1);
  auto& written = push_box<Result<void>>(L);
  written = LuaState::host_work(L, [&] {
    return run.write(run.dir->dir(), "run.json", Services::of(L).redactor.apply(text),
                     Durable::kYes);
  });
  if (!written) return raise_error(L, written.error());
  return 0;
}

/// write(path, text, later): a file beneath `.agent`, redacted and whole; durable now, or later by
/// sync()
int run_write(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  const std::string_view text = check_text(L, 2);
  const bool later = lua_toboolean(L, 3) != 0;
  auto& written = push_box<Result<void>>(L);
  written = LuaState::host_work(L, [&] {
    return run.write(*run.agent, path, Services::of(L).redactor.apply(text),
                     later ? Durable::kNo : Durable::kYes);
  });
  if (!written) return raise_error(L, written.error());
  if (later) run.unsynced.emplace_back(path);
  return 0;
}

/// begin_sync(): begins with what sync() waits for, while other work goes on
int run_begin_sync(lua_State* L) {
  check_run(L).begin_sync();
  return 0;
}

/// sync(): what was to be durable later is durable when this returns
int run_sync(lua_State* L) {
  Run& run = check_run(L);
  auto& synced = push_box<Result<void>>(L);
  synced = LuaState::host_work(L, [&] { return run.sync(); });
  if (!synced) return raise_error(L, synced.error());
  return 0;
}

/// is_ours(): whether nobody has taken the run over
int run_is_ours(lua_State* L) {
  lua_pushboolean(L, check_run(L).still_ours().ok() ? 1 : 0);
  return 1;
}

/// size(path) -> the bytes of a file beneath `.agent`; nil where there is none; raises when it
/// cannot be looked at
int run_size(lua_State* L) {
  const Run& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  auto& info = push_box<Result<FileInfo>>(L, Error{});
  info = run.agent->stat(path);
  if (!info && info.error().kind != ErrorKind::kInvalid) return raise_error(L, info.error());
  if (!info || info->kind != EntryKind::kFile) return 0;
  lua_pushinteger(L, static_cast<lua_Integer>(info->size));
  return 1;
}

/// read(path, cap) -> text, nil, cut; or nil and an error
int run_read(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  const lua_Integer cap = luaL_checkinteger(L, 2);
  auto& read = push_box<Result<FileBytes>>(L, Error{});
  read = run.agent->read_file(path, static_cast<std::size_t>(cap));
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

/// read_tail(path, cap) -> the last bytes of a file, or nothing when it cannot be read
int run_read_tail(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  const auto cap = static_cast<std::size_t>(luaL_checkinteger(L, 2));
  auto& text = push_box<std::string>(L);
  auto file = run.agent->open_read(path);
  if (!file) return 0;
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(cap));
  text.resize(static_cast<std::size_t>(std::max<off_t>(0, size - from)));
  const ssize_t got = ::pread(file->get(), text.data(), text.size(), from);
  if (got < 0) return 0;
  lua_pushlstring(L, text.data(), static_cast<std::size_t>(got));
  release(text);
  return 1;
}

/// make_dirs(path, later): a folder beneath `.agent`
int run_make_dirs(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  const Durable durable = lua_toboolean(L, 2) != 0 ? Durable::kNo : Durable::kYes;
  auto& made = push_box<Result<void>>(L);
  made = run.still_ours();
  if (made.ok()) made = run.agent->make_dirs(path, durable);
  if (!made) return raise_error(L, made.error());
  return 0;
}

/// sweep(path): removes what a killed host left half-written in a folder of the run
int run_sweep(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  if (run.resumed && run.still_ours().ok()) run.agent->sweep_temporaries(path);
  return 0;
}

/// remove_temporary(): the folders for temporary files that are on record, once no child is left
int run_remove_temporary(lua_State* L) {
  Run& run = check_run(L);
  if (run.still_ours().ok()) remove_temporary_folders(run.dir->dir());
  return 0;
}

/// remove(path): a file or folder beneath `.agent`, if it is there
int run_remove(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view path = check_text(L, 1);
  auto& removed = push_box<Result<void>>(L);
  removed = run.still_ours();
  if (removed.ok()) removed = run.agent->remove_tree(path);
  if (!removed) return raise_error(L, removed.error());
  return 0;
}

/// rename(from, to): within `.agent`; false when there is no such file
int run_rename(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view from = check_text(L, 1);
  const std::string_view to = check_text(L, 2);
  auto& renamed = push_box<Result<void>>(L);
  renamed = run.still_ours();
  const bool there = run.agent->exists(from);
  if (there && renamed.ok()) renamed = run.agent->rename(from, to);
  if (!renamed) return raise_error(L, renamed.error());
  lua_pushboolean(L, there);
  return 1;
}

std::string value_path(const Run& run, std::string_view name) {
  return "runs/" + run.dir->id() + "/values/" + std::string(name);
}

/// write_value(name, text, durable): a value of the journal that is too large for a line; durable
/// now, or before the next durable record is
int run_write_value(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view name = check_text(L, 1);
  const std::string_view text = check_text(L, 2);
  const Durable durable = lua_toboolean(L, 3) != 0 ? Durable::kYes : Durable::kNo;
  auto& written = push_box<Result<void>>(L);
  written = run.still_ours();
  if (written.ok()) {
    written = LuaState::host_work(L, [&] {
      auto made = run.dir->dir().make_dirs("values", durable);
      return made ? run.write(*run.agent, value_path(run, name), text, durable) : made;
    });
  }
  if (!written) return raise_error(L, written.error());
  if (durable == Durable::kNo) run.unsynced_values.push_back(value_path(run, name));
  return 0;
}

/// read_value(name, cap) -> text, or nil when there is none; raises when it cannot be read now
int run_read_value(lua_State* L) {
  Run& run = check_run(L);
  const std::string_view name = check_text(L, 1);
  const lua_Integer cap = luaL_checkinteger(L, 2);
  auto& read = push_box<Result<FileBytes>>(L, Error{});
  read = run.agent->read_file(value_path(run, name), static_cast<std::size_t>(cap));
  if (!read && read.error().kind != ErrorKind::kInvalid) return raise_error(L, read.error());
  if (!read || read->cut) return 0;
  lua_pushlstring(L, read->bytes.data(), read->bytes.size());
  release(read->bytes);
  return 1;
}

/// redact(text) -> text
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

/// step_name(key) -> the folder name of a step
int run_step_name(lua_State* L) {
  const std::string_view key = check_text(L, 1);
  auto& name = push_box<std::string>(L);
  name = step_name(key);
  lua_pushlstring(L, name.data(), name.size());
  return 1;
}

/// end_children(): ends what still runs and the keeper with it
int run_end_children(lua_State* L) {
  if (Run* run = Services::of(L).run.get()) run->keeper.reset();
  return 0;
}

/// still_runs() -> whether something that an earlier host started runs on under its keeper
int run_still_runs(lua_State* L) {
  const Run& run = check_run(L);
  bool runs = false;
  if (run.keeper) {
    for (const AdoptedChild& child : run.keeper->adopted()) {
      runs = runs || (child.started_ms != 0 && !child.operation->done());
    }
  } else {
    runs = run.resumed && keeper_is_alive(run.dir->dir().fd());
  }
  lua_pushboolean(L, runs);
  return 1;
}

/// discard(): the run never began; nothing of it stays
int run_discard(lua_State* L) {
  Services& services = Services::of(L);
  if (services.run && services.run->still_ours().ok()) discard_run(services);
  return 0;
}

/// finish(unchanged): the run is over; its lock is released. With `unchanged` it is left as by a
/// host that dies: what may outlive one runs on, and is still looked for.
int run_finish(lua_State* L) {
  Services& services = Services::of(L);
  if (!services.run) return 0;
  if (!lua_toboolean(L, 1) && services.run->still_ours().ok()) {
    (void)Runs(*services.run->agent).mark_finished(services.run->dir->id());
  }
  services.drop_run();
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

/// manifest(list of inputs) -> the text of input-manifest.md
int run_manifest(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  auto& manifest = push_box<Manifest>(L);
  auto& entry = push_box<InputEntry>(L);
  const lua_Integer count = static_cast<lua_Integer>(lua_rawlen(L, 1));
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(L, 1, i);
    luaL_checktype(L, -1, LUA_TTABLE);
    read_entry(L, lua_gettop(L), entry);
    manifest.add(std::move(entry));
    lua_pop(L, 1);
  }
  auto& text = push_box<std::string>(L);
  text = manifest.markdown();
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// check_id(text, what): raises unless it has the form of an id
int run_check_id(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const std::string_view what = check_text(L, 2);
  auto& checked = push_box<Result<void>>(L);
  checked = check_id(text, what);
  if (!checked) return raise_error(L, checked.error());
  return 0;
}

constexpr luaL_Reg kFunctions[] = {
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

}  // namespace

Home& check_home(lua_State* L, int index) {
  HomeBox* box = to_box<HomeBox>(L, index);
  if (box == nullptr || !box->has_value()) luaL_argerror(L, index, "home expected");
  return **box;
}

Run& check_run(lua_State* L) {
  Services& services = Services::of(L);
  if (!services.run) luaL_error(L, "no run is being driven");
  return *services.run;
}

int luaopen_core_run(lua_State* L) {
  luaL_newlib(L, kFunctions);
  return 1;
}

}  // namespace moonlet
