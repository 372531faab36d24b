// core.session runs programs on a terminal, under keepers that outlive this process.
#include <algorithm>
#include <cstring>

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
#include "lua/vm/bind.h"
#include "lua/vm/child_spec.h"

namespace moonlet {

using TypedParts = decltype(TypeFrame::parts);

/// A list of { kind, text }.
template <>
struct Argument<const TypedParts&> {
  static constexpr int kCount = 1;
  static const TypedParts& read(lua_State* L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    auto& parts = push_box<TypedParts>(L);
    for (lua_Integer i = 1; lua_rawgeti(L, index, i) == LUA_TTABLE; ++i) {
      lua_rawgeti(L, -1, 1);
      lua_rawgeti(L, -2, 2);
      const lua_Integer kind = luaL_checkinteger(L, -2);
      parts.emplace_back(static_cast<std::uint8_t>(kind), check_text(L, -1));
      lua_pop(L, 3);
    }
    lua_pop(L, 1);
    return parts;
  }
};

namespace {

using nlohmann::json;

std::string sessions_folder(const Home& home) { return home.root() + "/.agent/sessions"; }

Result<Dir> session_dir(Home& home, std::string_view id) {
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
Result<Dir> session_or_entry(const Services& services, Home& home, std::string_view id) {
  auto dir = session_dir(home, id);
  if (dir || dir.error().kind != ErrorKind::kInvalid) return dir;
  auto keeper = services.live_keepers().find_removed(sessions_folder(home) + "/" + std::string(id));
  if (keeper) return std::move(keeper->dir);
  return dir;
}

/// make(home) makes the folder of a new session and returns the session's id
Result<std::string> session_make(Services& services, Home& home) {
  auto agent = home.make();
  if (!agent) return agent.error();
  return make_session_dir(**agent, services.live_keepers().highest(sessions_folder(home), 'S'));
}

/// list(home) returns the ids of all sessions, oldest first.
/// Includes live sessions whose folder was deleted.
Result<std::vector<std::string>> session_list(Services& services, Home& home) {
  auto agent = home.existing();
  if (!agent) return agent.error();
  std::vector<std::string> ids;
  if (*agent != nullptr) {
    auto listed = list_sessions(**agent);
    if (!listed) return listed;
    ids = std::move(*listed);
  }
  const std::string folder = sessions_folder(home) + "/";
  for (const LiveKeeper& keeper : services.live_keepers().list()) {
    const std::string& id = keeper.record.run_id;
    const bool is_missing = std::find(ids.begin(), ids.end(), id) == ids.end();
    if (keeper.removed && keeper.run_dir == folder + id && is_missing) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end(), [](const std::string& a, const std::string& b) {
    return id_number('S', a) < id_number('S', b);
  });
  return ids;
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
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  auto& spec = push_box<ChildSpec>(L);
  read_child_spec(L, 3, spec, {"rows", "cols", "label", "log_cap", "grace_ms"});
  spec.terminal_rows = field_size(L, 3, "rows");
  spec.terminal_cols = field_size(L, 3, "cols");
  spec.out.cap = static_cast<std::uint64_t>(field_integer(L, 3, "log_cap", 0));
  spec.grace_ms = field_integer(L, 3, "grace_ms", spec.grace_ms);
  spec.step = kSessionStep;
  spec.attempt = kSessionAttempt;
  const std::string_view label = field_text(L, 3, "label");
  const Services& services = Services::of(L);
  auto& started = push_box<Result<StartedSession>>(L, Error{});
  started = LuaState::host_work(L, [&]() -> Result<StartedSession> {
    const auto dir = session_or_entry(services, home, id);
    if (!dir) return dir.error();
    KeeperOptions options;
    options.program = services.keeper_program;
    options.run_dir_fd = dir->fd();
    options.run_id = id;
    options.generation = 1;
    options.label = label;
    const auto live = services.live_keepers().make();  // if it fails, start without an index entry
    if (live) options.live_dir_fd = live->fd();
    return start_session(options, std::move(spec));
  });
  if (!started) return raise_error(L, started.error());
  if (started->pid == 0) return detail::push_failure(L, started->exit.error);
  lua_pushinteger(L, started->pid);
  return 1;
}

/// status(home, id) returns the session's state and a table of facts.
/// States: "none", "running", "exited", "lost". Facts: why, code, signal, duration_ms, pid,
/// started_ms, stdout_total, stdout_kept, stdout_write_error?
Result<std::tuple<std::string, json>> session_status(Services& services, Home& home,
                                                     std::string_view id) {
  const auto dir = session_or_entry(services, home, id);
  if (!dir) return dir.error();
  const auto kept = find_attempt(dir->fd(), kSessionStep, kSessionAttempt);
  if (!kept) return kept.error();
  static constexpr const char* kNames[] = {"none", "running", "exited", "lost"};
  const ChildExit& exit = kept->exit;
  json facts = {{"why", to_string(exit.why)},
                {"code", exit.code},
                {"signal", exit.signal},
                {"duration_ms", exit.duration_ms},
                {"pid", kept->pid},
                {"started_ms", kept->started_ms},
                {"stdout_total", exit.out.total},
                {"stdout_kept", exit.out.kept}};
  if (exit.out.write_errno != 0) facts["stdout_write_error"] = strerror(exit.out.write_errno);
  return std::tuple(std::string(kNames[static_cast<int>(kept->state)]), std::move(facts));
}

/// look(home, id, history) returns the screen of a live session as a JSON text.
/// `history` is the number of earlier lines to include.
Result<std::string> session_look(Services& services, Home& home, std::string_view id,
                                 std::optional<std::int64_t> history) {
  const auto dir = session_or_entry(services, home, id);
  return dir ? look_at_session(dir->fd(), history.value_or(0)) : dir.error();
}

/// type(home, id, {{kind, text}, …}, tag?): types into a live session.
/// Kind 0 is text, 1 a key, 2 raw bytes. If something was typed with the same tag before, does
/// nothing.
Result<void> session_type(Services& services, Home& home, std::string_view id,
                          const TypedParts& parts, std::optional<std::string_view> tag) {
  const auto dir = session_or_entry(services, home, id);
  if (!dir) return dir.error();
  TypeFrame typed;
  typed.tag = tag.value_or("");
  typed.parts = parts;
  return type_into_session(dir->fd(), typed);
}

/// resize(home, id, rows, cols): changes the size of the session's terminal
Result<void> session_resize(Services& services, Home& home, std::string_view id, int rows,
                            int cols) {
  const auto dir = session_or_entry(services, home, id);
  return dir ? resize_session(dir->fd(), rows, cols) : dir.error();
}

/// kill(home, id, grace): asks the session's processes to end, and kills them after `grace` ms
Result<void> session_kill(Services& services, Home& home, std::string_view id, std::int64_t grace) {
  const auto dir = session_or_entry(services, home, id);
  return dir ? end_session(dir->fd(), grace) : dir.error();
}

/// sweep(home, id) kills the processes of a session whose keeper has died. Returns their number.
Result<std::size_t> session_sweep(Services& services, Home& home, std::string_view id) {
  const auto dir = session_or_entry(services, home, id);
  if (!dir) return dir.error();
  if (keeper_is_alive(dir->fd())) return std::size_t{0};
  const auto swept = sweep(dir->fd());
  if (!swept) return swept.error();
  return swept->killed.size();
}

/// processes(home, id) lists a session's live processes: { {pid, age_ms, main, deadline_ms?}, … }
Result<json> session_processes(Services& services, Home& home, std::string_view id) {
  const auto dir = session_or_entry(services, home, id);
  if (!dir) return dir.error();
  const auto live = list_live(dir->fd());
  if (!live) return live.error();
  json list = json::array();
  for (const LiveProcess& process : *live) {
    list.push_back({{"pid", process.info.pid}, {"age_ms", process.age_ms}, {"main", process.main}});
    const auto deadline = process.record.deadline_ms;
    if (deadline > 0) list.back()["deadline_ms"] = deadline;
  }
  return list;
}

/// append(home, id, name, lines): appends lines to a file in the session's folder
Result<void> session_append(Home& home, std::string_view id, std::string_view name,
                            std::string_view lines) {
  const auto dir = session_dir(home, id);
  if (!dir) return dir.error();
  const auto file = dir->open_append(name);
  if (!file) return file.error();
  const int number = append_lines(file->get(), lines);
  if (number != 0) return Error::from_errno(number, "write", std::string(name));
  return {};
}

/// replay(bytes, rows, cols, history) returns the screen after a program has printed `bytes`, as
/// look() does
std::string session_replay(std::string_view bytes, int rows, int cols,
                           std::optional<std::size_t> history) {
  return replay_screen(bytes, rows, cols, history.value_or(0));
}

/// hook(argv, env, wall) runs a program of the user for at most `wall` ms.
/// Returns {code, signal, late}, or nil and an error. `late` is true if the program ran too long or
/// was stopped.
Result<json> session_hook(const Services& services, const std::vector<std::string>& argv,
                          const std::vector<std::string>& environment, std::int64_t wall_ms,
                          std::atomic<bool>& stop) {
  const auto program = find_program(argv.empty() ? "" : argv[0], services.env("PATH"), {});
  if (!program) return program.error();
  HelperCall request{argv, environment};
  request.argv[0] = *program;
  request.limit_ms = wall_ms;
  request.stop = &stop;
  const auto end = run_hook(std::move(request));
  if (!end) return end.error();
  return json{{"code", end->code}, {"signal", end->signal}, {"late", end->late}};
}

/// attach(home, id, key) connects this terminal to the session until the user presses `key`.
/// Returns "key" if the user pressed it, "ended" if the session has ended, or "gone" if the
/// terminal was closed.
Result<std::string> session_attach(Services& services, Home& home, std::string_view id, int key) {
  const auto dir = session_or_entry(services, home, id);
  if (!dir) return dir.error();
  const auto detached = attach_session(dir->fd(), static_cast<char>(key));
  if (!detached) return detached.error();
  if (*detached == Detached::kByKey) return std::string("key");
  return std::string(*detached == Detached::kSessionEnded ? "ended" : "gone");
}

}  // namespace

const luaL_Reg kCoreSession[] = {
    {"make", raising<session_make>},
    {"list", raising<session_list>},
    {"start", guard<session_start>},
    {"status", raising<session_status, kHostWork>},
    {"look", raising<session_look, kHostWork>},
    {"type", raising<session_type, kHostWork>},
    {"resize", raising<session_resize, kHostWork>},
    {"kill", raising<session_kill, kHostWork>},
    {"sweep", raising<session_sweep, kHostWork>},
    {"attach", raising<session_attach, kHostWork>},
    {"append", raising<session_append, kHostWork>},
    {"replay", raising<session_replay, kHostWork>},
    {"hook", working<session_hook>},
    {"processes", raising<session_processes, kHostWork>},
    {nullptr, nullptr},
};

}  // namespace moonlet
