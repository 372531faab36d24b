// core.process runs the children of a run and waits until their process trees have ended. query()
// runs a program and needs no run.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "host/artifact/run/home.h"
#include "host/base/release.h"
#include "host/driver/registry.h"
#include "host/driver/run_driver.h"
#include "host/process/child/tree.h"
#include "host/process/client/attempt.h"
#include "host/process/client/helper.h"
#include "host/process/client/keeper.h"
#include "host/process/wire/protocol.h"
#include "lua/core/core.h"
#include "lua/core/run.h"
#include "lua/vm/bind.h"
#include "lua/vm/child_spec.h"
#include "lua/vm/scheduler.h"

namespace moonlet {

namespace {

/// Call has the data of a child that run() starts. It is in a box, so that nothing leaks if Lua
/// raises an error.
struct Call {
  ChildSpec spec;
  Fd input;
};

/// Returns where a child's stream goes: to `file` with at most `cap` bytes, or, if `file` is empty,
/// into the exit table. If the other stream has a file, `cap` is for that file, and a stream in the
/// exit table has the default cap.
OutputSpec output_of(std::string_view file, std::string_view other_file, std::uint64_t cap) {
  if (!file.empty()) return OutputSpec::to_file(std::string(file), cap);
  if (!other_file.empty()) return OutputSpec::to_inline();
  return OutputSpec::to_inline(cap == 0 ? 1 : cap);  // a cap of 0 would select the default
}

void read_call(lua_State* L, Call& call) {
  ChildSpec& spec = call.spec;
  read_child_spec(L, 1, spec,
                  {"step", "cap", "stdout_file", "stderr_file", "stdin", "stdin_file", "durable",
                   "attempt", "outlives", "own_group"});
  spec.step = field_text(L, 1, "step");
  const auto cap =
      static_cast<std::uint64_t>(field_integer(L, 1, "cap", OutputSpec::kDefaultInlineCap));
  const std::string_view out = field_text(L, 1, "stdout_file"),
                         err = field_text(L, 1, "stderr_file");
  spec.out = output_of(out, err, cap);
  spec.err = output_of(err, out, cap);
  spec.durable = field_flag(L, 1, "durable");
  spec.attempt = field_text(L, 1, "attempt");
  spec.outlives_host = field_flag(L, 1, "outlives");
  spec.own_cgroup = field_flag(L, 1, "own_group");
}

Result<Fd> open_input(const RunDriver& run, const std::string_view* text, std::string_view file) {
  if (text != nullptr) return run.open_input(*text);
  if (!file.empty()) return run.open_input_file(file);
  return Fd();
}

/// Starts a keeper, or adopts the keeper of a host that has died. May take seconds.
Result<void> ensure_keeper(lua_State* L, RunDriver& run) {
  if (run.has_keeper()) return {};
  return LuaState::host_work(L, [&] { return run.ensure_keeper(); });
}

Result<std::shared_ptr<ChildOperation>> start_child(lua_State* L, RunDriver& run, Call& call) {
  if (auto keeper = ensure_keeper(L, run); !keeper) return keeper.error();
  if (call.input.get() >= 0) call.spec.stdin_fd = call.input.get();
  auto child = run.spawn(std::move(call.spec));
  call.input = Fd();
  return child;
}

void push_stream(lua_State* L, const Captured& stream, const char* const (&keys)[5]) {
  lua_pushlstring(L, stream.text.data(), stream.text.size());
  lua_setfield(L, -2, keys[0]);
  set_number(L, keys[1], static_cast<std::int64_t>(stream.total));
  set_number(L, keys[2], static_cast<std::int64_t>(stream.kept));
  set_flag(L, keys[3], stream.cut);
  if (stream.write_errno != 0) {
    lua_pushstring(L, strerror(stream.write_errno));
    lua_setfield(L, -2, keys[4]);
  }
}

int push_exit_table(lua_State* L, ChildExit& exit) {
  lua_createtable(L, 0, 20);
  const std::string_view why = to_string(exit.why);
  set_text(L, "why", why);
  set_number(L, "code", exit.code);
  set_number(L, "signal", exit.signal);
  set_number(L, "duration_ms", exit.duration_ms);
  set_number(L, "cpu_ms", exit.cpu_ms);
  set_number(L, "max_rss_kb", exit.max_rss_kb);
  set_number(L, "stragglers", exit.stragglers);
  set_number(L, "stdout_in_time", static_cast<lua_Integer>(exit.out_in_time));
  set_flag(L, "drained", exit.drained);
  push_stream(L, exit.out,
              {"stdout", "stdout_total", "stdout_kept", "stdout_cut", "stdout_write_error"});
  push_stream(L, exit.err,
              {"stderr", "stderr_total", "stderr_kept", "stderr_cut", "stderr_write_error"});
  release(exit.out.text);
  release(exit.err.text);
  if (exit.why == ChildExit::Why::kLost || exit.why == ChildExit::Why::kNotStarted) {
    push_error(L, exit.error);
    lua_setfield(L, -2, "error");
  }
  return 1;
}

int push_exit(lua_State* L, Operation& operation) {
  return push_exit_table(L, static_cast<ChildOperation&>(operation).exit());
}

int run_child(lua_State* L) {
  RunDriver& run = check_run(L);
  Scheduler& scheduler = Scheduler::of(L);
  Pending& pending = scheduler.prepare(L, push_exit);
  Call& call = push_box<Call>(L);
  auto& failure = push_box<Error>(L);
  read_call(L, call);
  const bool has_text = lua_getfield(L, 1, "stdin") != LUA_TNIL;
  bool failed = false;
  {
    const std::string_view text = field_text(L, 1, "stdin");
    auto opened = open_input(run, has_text ? &text : nullptr, field_text(L, 1, "stdin_file"));
    if (!opened) {
      failed = true;
      failure = opened.error();
    } else {
      call.input = std::move(*opened);
      auto started = start_child(L, run, call);
      if (started) pending.operation = std::move(*started);
      failed = !started;
      if (failed) failure = started.error();
    }
  }
  if (failed) return raise_error(L, failure);
  lua_settop(L, 2);  // await() expects the box at the top of the stack
  return scheduler.await(L);
}

int run_after_records(lua_State* L, Operation& operation) {
  const auto& write = static_cast<JournalWrite&>(operation);
  if (!write.result().ok()) return raise_error(L, write.result().error());
  lua_settop(L, 1);
  return run_child(L);
}

/// run{step, attempt?, argv, …} runs a child, waits for its process tree and returns the exit
/// table.
/// Other fields: env, cwd, stdin | stdin_file, stdout_file?, stderr_file?, cap, wall_ms, idle_ms,
/// durable, own_group, outlives, redact?, confine?. Paths of files are relative to `.agent`.
/// With `redact`, secrets from the environment are removed before output is written to the files.
/// `confine` has the fields writable?, readable?, restrict_reads?, network?, terminals?
int process_run(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  RunDriver& run = check_run(L);
  // Before the child starts, all records that the script depends on must be in the journal.
  Scheduler& scheduler = Scheduler::of(L);
  Pending& pending = scheduler.prepare(L, run_after_records);  // may raise an error
  pending.operation = run.written();
  if (pending.operation) return scheduler.await(L);
  lua_settop(L, 1);
  return run_child(L);
}

/// Returns what is recorded about an attempt. If the run is resumed, a dead host may have started
/// it.
Result<KeptAttempt> kept_attempt(lua_State* L, RunDriver& run, std::string_view step,
                                 std::string_view attempt) {
  if (run.is_resumed()) {
    if (auto keeper = ensure_keeper(L, run); !keeper) return keeper.error();
  }
  return run.kept_attempt(step, attempt);
}

/// Returns the name of an attempt's state, as a resumed run sees it.
const char* state_name(const KeptAttempt& kept) {
  using Why = ChildExit::Why;
  switch (kept.state) {
    case KeptAttempt::State::kNotStarted:
      return "none";
    case KeptAttempt::State::kRunning:
      return "running";
    case KeptAttempt::State::kLost:
      return "lost";
    case KeptAttempt::State::kExited:
      break;
  }
  // The attempt was killed together with its host, so it has not finished its work.
  return kept.exit.why == Why::kCancelled ? "lost" : "exited";
}

/// attempt(step, name, present?) returns the state of an attempt.
/// "none": the attempt was never started. "running": it is running. "exited": it has ended.
/// "lost": it was killed with its host, or its end is unknown.
/// If `present` is true, reads the records again, to include attempts that this host has started.
int process_attempt(lua_State* L) {
  const std::string_view step = check_text(L, 1);
  const std::string_view name = check_text(L, 2);
  RunDriver& run = check_run(L);
  const bool present = lua_toboolean(L, 3) != 0;
  auto& kept = push_box<Result<KeptAttempt>>(L, Error{});
  kept = present ? run.present_attempt(step, name) : kept_attempt(L, run, step, name);
  if (!kept) return raise_error(L, kept.error());
  lua_pushstring(L, !present && run.find_adopted(name) ? "running" : state_name(*kept));
  return 1;
}

/// recorded(home, run, step, name) returns the state and the exit table of an attempt of any run.
/// Unlike attempt(), takes no lock and changes nothing.
int process_recorded(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  const std::string_view step = check_text(L, 3);
  const std::string_view name = check_text(L, 4);
  auto& kept = push_box<Result<KeptAttempt>>(L, Error{});
  if (auto run = RunRegistry(home).open(id); run.ok()) {
    kept = find_attempt(run->dir().fd(), step, name);
  } else {
    kept = run.error();
  }
  if (!kept) return raise_error(L, kept.error());
  lua_pushstring(L, state_name(*kept));
  if (kept->state == KeptAttempt::State::kRunning) return 1;
  push_exit_table(L, kept->exit);
  return 2;
}

int take_kept(lua_State* L, bool stop) {
  const std::string_view step = check_text(L, 1);
  const std::string_view name = check_text(L, 2);
  RunDriver& run = check_run(L);
  Scheduler& scheduler = Scheduler::of(L);
  auto& kept = push_box<Result<KeptAttempt>>(L, Error{});
  kept = kept_attempt(L, run, step, name);
  if (!kept) return raise_error(L, kept.error());
  if (!run.find_adopted(name)) return push_exit_table(L, kept->exit);
  Pending& pending = scheduler.prepare(L, push_exit);  // may raise an error
  pending.operation = run.find_adopted(name);
  if (stop) pending.operation->cancel();
  return scheduler.await(L);
}

/// take(step, name) waits for the end of an attempt that a dead host has started, and returns its
/// exit table
int process_take(lua_State* L) { return take_kept(L, false); }

/// stop(step, name) ends an attempt that a dead host has started, and returns its exit table
int process_stop(lua_State* L) { return take_kept(L, true); }

/// end_finished(attempt): ends an attempt whose result has arrived. `why` of its exit table becomes
/// "finished".
void process_end_finished(RunDriver& run, std::string_view attempt) {
  if (auto child = run.find_working(attempt)) child->end_finished();
}

/// hold_idle(attempt, held): pauses the attempt's idle limit, or restarts it if `held` is false
void process_hold_idle(RunDriver& run, std::string_view attempt, bool held) {
  if (auto child = run.find_working(attempt)) child->hold_idle(held);
}

/// newest_descendant(attempt) returns the start time of the attempt's youngest process, in ms since
/// 1970.
/// Returns no value if the attempt has no process.
std::optional<std::int64_t> process_newest_descendant(RunDriver& run, const Services& services,
                                                      std::string_view attempt) {
  const int pid = run.pid_of(attempt);
  if (pid == 0) return std::nullopt;
  std::int64_t newest = -1;
  const auto processes = list_processes();
  for (const TreeMember& member : find_tree(processes, pid, {})) {
    if (!member.info.zombie) newest = std::max(newest, member.info.born_ms);
  }
  if (newest < 0) return std::nullopt;
  return services.clock.wall_ms() - (boot_clock_ms() - newest);
}

/// sees_processes() returns true if the system lets moonlet list processes. If not, some processes
/// may survive a kill.
bool process_sees_processes() {
  ProcessInfo own;
  return read_process(getpid(), own);
}

/// confinement() returns {abi = N} if this machine supports `confine`, otherwise nil and the reason
int process_confinement(lua_State* L) {
  auto& support = push_box<ConfinementSupport>(L, confinement_support());
  if (support.abi == 0) {
    lua_pushnil(L);
    lua_pushlstring(L, support.reason.data(), support.reason.size());
    return 2;
  }
  lua_createtable(L, 0, 1);
  set_number(L, "abi", support.abi);
  return 1;
}

/// query{argv, env, cap} runs a program without side effects and captures its output.
/// Returns {code, out}, or nil and an error. `code` is -1 if the program was killed. Needs no run.
int process_query(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  auto& spec = push_box<ChildSpec>(L);
  read_child_spec(L, 1, spec, {"cap"});
  auto& query = push_box<HelperCall>(L);
  query.argv = spec.argv;
  query.environment = spec.env;
  query.longest = static_cast<std::size_t>(field_integer(L, 1, "cap", 1 << 16));
  auto& stop = push_box<std::atomic<bool>>(L, false);
  query.stop = &stop;
  push_work(L) = [&query]() -> Result<nlohmann::json> {
    auto answer = ask(std::move(query));
    if (!answer) return answer.error();
    return nlohmann::json{{"code", answer->code}, {"out", std::move(answer->out)}};
  };
  return await_work(L, &stop);
}

}  // namespace

const luaL_Reg kCoreProcess[] = {
    {"run", guard<process_run>},
    {"query", guard<process_query>},
    {"attempt", guard<process_attempt>},
    {"recorded", guard<process_recorded>},
    {"take", guard<process_take>},
    {"stop", guard<process_stop>},
    {"end_finished", raising<process_end_finished>},
    {"hold_idle", raising<process_hold_idle>},
    {"newest_descendant", raising<process_newest_descendant>},
    {"confinement", guard<process_confinement>},
    {"sees_processes", raising<process_sees_processes>},
    {nullptr, nullptr},
};

}  // namespace moonlet
