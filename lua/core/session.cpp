// core.session runs programs on a terminal, under keepers that outlive this process.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "host/artifact/run/session_dir.h"
#include "host/base/append_lines.h"
#include "host/base/id.h"
#include "host/process/child/program.h"
#include "host/process/client/attempt.h"
#include "host/process/client/helper.h"
#include "host/process/client/session.h"
#include "host/process/client/sweep.h"
#include "host/process/session/terminal.h"
#include "lua/core/core.h"
#include "lua/core/run.h"
#include "lua/vm/child_spec.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"
#include "lua/vm/work.h"

namespace moonlet {

namespace {

std::string sessions_folder(const Home& home) { return home.root() + "/.agent/sessions"; }

/// Opens the folder of a session. Stack index 1 is the repository's handle, and index 2 is the
/// session's id.
Result<Dir> session_dir(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  auto agent = home.existing();
  if (!agent) return agent.error();
  if (*agent != nullptr) return open_session_dir(**agent, id);
  return Error{ErrorKind::kInvalid,
               "there are no sessions here",
               "moonlet session start -- COMMAND starts one",
               {}};
}

/// Opens a session's folder. If the folder of a live session was deleted, opens the session's entry
/// in the index of live keepers instead.
Result<Dir> session_or_entry(lua_State* L) {
  auto dir = session_dir(L);
  if (dir || dir.error().kind != ErrorKind::kInvalid) return dir;
  const Home& home = check_home(L, 1);
  const std::string path = sessions_folder(home) + "/" + std::string(check_text(L, 2));
  auto keeper = Services::of(L).live_keepers().find_removed(path);
  if (keeper) return std::move(keeper->dir);
  return dir;
}

/// Calls `fn` with the folder that `find` returns. If `find` or `fn` returns an error, raises that
/// error. The time that `fn` takes does not count for Lua's time limit.
template <typename Fn>
void with_session(lua_State* L, Fn fn, Result<Dir> (*find)(lua_State*) = session_or_entry) {
  auto& failure = push_box<Error>(L);
  bool failed = false;
  {
    auto dir = find(L);
    Result<void> done;
    if (dir) {
      done = LuaState::host_work(L, [&] { return fn(*dir); });
    } else {
      done = dir.error();
    }
    if (!done) {
      failed = true;
      failure = done.error();
    }
  }
  if (failed) raise_error(L, failure);
}

/// make(home) makes the folder of a new session and returns the session's id
int session_make(lua_State* L) {
  Home& home = check_home(L, 1);
  auto& made = push_box<Result<std::string>>(L, Error{});
  auto agent = home.make();
  const auto taken = Services::of(L).live_keepers().highest(sessions_folder(home), 'S');
  made = agent ? make_session_dir(**agent, taken) : Result<std::string>(agent.error());
  if (!made) return raise_error(L, made.error());
  lua_pushlstring(L, made->data(), made->size());
  return 1;
}

/// list(home) returns the ids of all sessions, oldest first.
/// Includes live sessions whose folder was deleted.
int session_list(lua_State* L) {
  Home& home = check_home(L, 1);
  auto& ids = push_box<Result<std::vector<std::string>>>(L, std::vector<std::string>());
  auto agent = home.existing();
  if (!agent) {
    ids = agent.error();
  } else if (*agent != nullptr) {
    ids = list_sessions(**agent);
  }
  if (!ids) return raise_error(L, ids.error());
  const std::string folder = sessions_folder(home) + "/";
  for (const LiveKeeper& keeper : Services::of(L).live_keepers().list()) {
    const std::string& id = keeper.record.run_id;
    const bool is_missing = std::find(ids->begin(), ids->end(), id) == ids->end();
    if (keeper.removed && keeper.run_dir == folder + id && is_missing) ids->push_back(id);
  }
  std::sort(ids->begin(), ids->end(), [](const std::string& a, const std::string& b) {
    return id_number('S', a) < id_number('S', b);
  });
  lua_createtable(L, static_cast<int>(ids->size()), 0);
  lua_Integer count = 0;
  for (const std::string& id : *ids) {
    lua_pushlstring(L, id.data(), id.size());
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

/// Returns the field `key`, a number of rows or columns of a terminal. Raises an error if it is not
/// 1 to 65535.
std::uint16_t field_size(lua_State* L, int index, const char* key) {
  const std::int64_t size = field_integer(L, index, key, 0);
  if (size < 1 || size > UINT16_MAX) luaL_error(L, "%s must be 1 to %d", key, UINT16_MAX);
  return static_cast<std::uint16_t>(size);
}

/// start(home, id, {argv, env, cwd, rows, cols, …}) starts a session's program.
/// Returns its pid, or nil and an error. Other fields: label, log_cap, wall_ms, idle_ms, grace_ms,
/// redact, confine; see process.run. The label identifies the session if its folder is deleted.
int session_start(lua_State* L) {
  luaL_checktype(L, 3, LUA_TTABLE);
  auto& started = push_box<StartedSession>(L);
  auto& spec = push_box<ChildSpec>(L);
  read_child_spec(L, 3, spec, {"rows", "cols", "label", "log_cap", "grace_ms"});
  spec.terminal_rows = field_size(L, 3, "rows");
  spec.terminal_cols = field_size(L, 3, "cols");
  spec.out.cap = static_cast<std::uint64_t>(field_integer(L, 3, "log_cap", 0));
  spec.grace_ms = field_integer(L, 3, "grace_ms", spec.grace_ms);
  spec.step = kSessionStep;
  spec.attempt = kSessionAttempt;
  auto& label = push_box<std::string>(L);
  label = field_text(L, 3, "label");
  const Services& services = Services::of(L);
  const std::string_view id = check_text(L, 2);
  with_session(L, [&](const Dir& dir) -> Result<void> {
    KeeperOptions options;
    options.program = services.keeper_program;
    options.run_dir_fd = dir.fd();
    options.run_id = id;
    options.generation = 1;
    options.label = label;
    const auto live = services.live_keepers().make();  // if it fails, start without an index entry
    if (live) options.live_dir_fd = live->fd();
    auto result = start_session(options, std::move(spec));
    if (!result) return result.error();
    started = std::move(*result);
    return {};
  });
  if (started.pid == 0) {
    lua_pushnil(L);
    push_error(L, started.exit.error);
    return 2;
  }
  lua_pushinteger(L, started.pid);
  return 1;
}

/// status(home, id) returns the session's state and a table of facts.
/// States: "none", "running", "exited", "lost". Facts: why, code, signal, duration_ms, pid,
/// started_ms, stdout_total, stdout_kept, stdout_write_error?
int session_status(lua_State* L) {
  auto& kept = push_box<KeptAttempt>(L);
  with_session(L, [&](const Dir& dir) -> Result<void> {
    auto found = find_attempt(dir.fd(), kSessionStep, kSessionAttempt);
    if (!found) return found.error();
    kept = std::move(*found);
    return {};
  });
  static constexpr const char* kNames[] = {"none", "running", "exited", "lost"};
  lua_pushstring(L, kNames[static_cast<int>(kept.state)]);
  lua_createtable(L, 0, 9);
  const std::string_view why = to_string(kept.exit.why);
  set_text(L, "why", why);
  set_number(L, "code", kept.exit.code);
  set_number(L, "signal", kept.exit.signal);
  set_number(L, "duration_ms", kept.exit.duration_ms);
  set_number(L, "pid", kept.pid);
  set_number(L, "started_ms", kept.started_ms);
  const Captured& out = kept.exit.out;
  set_number(L, "stdout_total", static_cast<std::int64_t>(out.total));
  set_number(L, "stdout_kept", static_cast<std::int64_t>(out.kept));
  if (out.write_errno != 0) {
    lua_pushstring(L, std::strerror(out.write_errno));
    lua_setfield(L, -2, "stdout_write_error");
  }
  return 2;
}

/// look(home, id, history) returns the screen of a live session as a JSON text.
/// `history` is the number of earlier lines to include.
int session_look(lua_State* L) {
  const std::int64_t history = luaL_optinteger(L, 3, 0);
  auto& text = push_box<std::string>(L);
  with_session(L, [&](const Dir& dir) -> Result<void> {
    auto looked = look_at_session(dir.fd(), history);
    if (!looked) return looked.error();
    text = std::move(*looked);
    return {};
  });
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// type(home, id, {{kind, text}, …}, tag?): types into a live session.
/// Kind 0 is text, 1 a key, 2 raw bytes. If something was typed with the same tag before, does
/// nothing.
int session_type(lua_State* L) {
  luaL_checktype(L, 3, LUA_TTABLE);
  auto& typed = push_box<TypeFrame>(L);
  if (!lua_isnoneornil(L, 4)) typed.tag = check_text(L, 4);
  for (lua_Integer i = 1; lua_rawgeti(L, 3, i) == LUA_TTABLE; ++i) {
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    const lua_Integer kind = luaL_checkinteger(L, -2);
    typed.parts.emplace_back(static_cast<std::uint8_t>(kind), check_text(L, -1));
    lua_pop(L, 3);
  }
  lua_pop(L, 1);
  with_session(L, [&](const Dir& dir) { return type_into_session(dir.fd(), typed); });
  return 0;
}

/// resize(home, id, rows, cols): changes the size of the session's terminal
int session_resize(lua_State* L) {
  const auto rows = static_cast<int>(luaL_checkinteger(L, 3));
  const auto cols = static_cast<int>(luaL_checkinteger(L, 4));
  with_session(L, [&](const Dir& dir) { return resize_session(dir.fd(), rows, cols); });
  return 0;
}

/// kill(home, id, grace): asks the session's processes to end, and kills them after `grace` ms
int session_kill(lua_State* L) {
  const lua_Integer grace = luaL_checkinteger(L, 3);
  with_session(L, [&](const Dir& dir) { return end_session(dir.fd(), grace); });
  return 0;
}

/// sweep(home, id) kills the processes of a session whose keeper has died. Returns their number.
int session_sweep(lua_State* L) {
  lua_Integer killed = 0;
  with_session(L, [&](const Dir& dir) -> Result<void> {
    if (keeper_is_alive(dir.fd())) return {};
    auto swept = sweep(dir.fd());
    if (!swept) return swept.error();
    killed = static_cast<lua_Integer>(swept->killed.size());
    return {};
  });
  lua_pushinteger(L, killed);
  return 1;
}

/// processes(home, id) lists a session's live processes: { {pid, age_ms, main, deadline_ms?}, … }
int session_processes(lua_State* L) {
  auto& live = push_box<std::vector<LiveProcess>>(L);
  with_session(L, [&](const Dir& dir) -> Result<void> {
    auto listed = list_live(dir.fd());
    if (!listed) return listed.error();
    live = std::move(*listed);
    return {};
  });
  lua_createtable(L, static_cast<int>(live.size()), 0);
  lua_Integer count = 0;
  for (const LiveProcess& process : live) {
    lua_createtable(L, 0, 4);
    set_number(L, "pid", process.info.pid);
    set_number(L, "age_ms", process.age_ms);
    set_flag(L, "main", process.main);
    if (process.record.deadline_ms > 0) set_number(L, "deadline_ms", process.record.deadline_ms);
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

/// append(home, id, name, lines): appends lines to a file in the session's folder
int session_append(lua_State* L) {
  const std::string_view name = check_text(L, 3);
  const std::string_view text = check_text(L, 4);
  with_session(
      L,
      [&](const Dir& dir) -> Result<void> {
        auto file = dir.open_append(name);
        if (!file) return file.error();
        const int number = append_lines(file->get(), text);
        if (number != 0) return Error::from_errno(number, "write", std::string(name));
        return {};
      },
      session_dir);
  return 0;
}

/// replay(bytes, rows, cols, history) returns the screen after a program has printed `bytes`, as
/// look() does
int session_replay(lua_State* L) {
  const std::string_view bytes = check_text(L, 1);
  const auto rows = static_cast<int>(luaL_checkinteger(L, 2));
  const auto cols = static_cast<int>(luaL_checkinteger(L, 3));
  const auto history = static_cast<std::size_t>(luaL_optinteger(L, 4, 0));
  auto& text = push_box<std::string>(L);
  text = LuaState::host_work(L, [&] { return replay_screen(bytes, rows, cols, history); });
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// hook(argv, env, wall) runs a program of the user for at most `wall` ms.
/// Returns {code, signal, late}, or nil and an error. `late` is true if the program ran too long or
/// was stopped.
int session_hook(lua_State* L) {
  auto& request = push_box<HelperCall>(L);
  for (int list = 1; list <= 2; ++list) {
    luaL_checktype(L, list, LUA_TTABLE);
    for (lua_Integer i = 1; lua_rawgeti(L, list, i) == LUA_TSTRING; ++i) {
      (list == 1 ? request.argv : request.environment).emplace_back(check_text(L, -1));
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  request.limit_ms = luaL_checkinteger(L, 3);
  auto& stop = push_box<std::atomic<bool>>(L, false);
  request.stop = &stop;
  const char* path = Services::of(L).env("PATH");
  push_work(L) = [&request, path]() -> Result<nlohmann::json> {
    auto program = find_program(request.argv.empty() ? "" : request.argv[0], path, {});
    if (!program) return program.error();
    request.argv[0] = *program;
    const auto end = run_hook(std::move(request));
    if (!end) return end.error();
    return nlohmann::json{{"code", end->code}, {"signal", end->signal}, {"late", end->late}};
  };
  return await_work(L, &stop);
}

/// attach(home, id, key) connects this terminal to the session until the user presses `key`.
/// Returns "key" if the user pressed it, "ended" if the session has ended, or "gone" if the
/// terminal was closed.
int session_attach(lua_State* L) {
  const lua_Integer key = luaL_checkinteger(L, 3);
  auto& how = push_box<Detached>(L, Detached::kByKey);
  with_session(L, [&](const Dir& dir) -> Result<void> {
    auto detached = attach_session(dir.fd(), static_cast<char>(key));
    if (!detached) return detached.error();
    how = *detached;
    return {};
  });
  lua_pushstring(L, how == Detached::kByKey          ? "key"
                    : how == Detached::kSessionEnded ? "ended"
                                                     : "gone");
  return 1;
}

}  // namespace

const luaL_Reg kCoreSession[] = {
    {"make", guard<session_make>},
    {"list", guard<session_list>},
    {"start", guard<session_start>},
    {"status", guard<session_status>},
    {"look", guard<session_look>},
    {"type", guard<session_type>},
    {"resize", guard<session_resize>},
    {"kill", guard<session_kill>},
    {"sweep", guard<session_sweep>},
    {"attach", guard<session_attach>},
    {"append", guard<session_append>},
    {"replay", guard<session_replay>},
    {"hook", guard<session_hook>},
    {"processes", guard<session_processes>},
    {nullptr, nullptr},
};

}  // namespace moonlet
