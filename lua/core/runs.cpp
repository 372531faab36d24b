// core.runs handles runs that this process does not drive, and the live keepers of the user.

#include "host/driver/cancel_request.h"
#include "host/driver/registry.h"
#include "lua/core/core.h"
#include "lua/core/run.h"
#include "lua/vm/bind.h"
#include "lua/vm/scheduler.h"

namespace moonlet {

namespace {

using nlohmann::json;

int push_swept(lua_State* L, Operation& operation) {
  const auto& swept_runs = static_cast<Sweep&>(operation).swept();
  lua_createtable(L, static_cast<int>(swept_runs.size()), 0);
  lua_Integer count = 0;
  for (const SweptRun& swept : swept_runs) {
    lua_createtable(L, 0, 2);
    set_text(L, "run", swept.id);
    set_number(L, "killed", swept.killed);
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

/// sweep(home) ends orphaned children of hosts that have died, and returns { {run, killed}, … }
int runs_sweep(lua_State* L) {
  Home& home = check_home(L, 1);
  return Scheduler::of(L).await_started(
      L, push_swept, [&] { return RunRegistry(home).sweep(Services::of(L).loop); });
}

json to_json(const LiveProcess& child) {
  json value = {{"step", child.record.step},
                {"pid", child.info.pid},
                {"age_ms", child.age_ms},
                {"main", child.main}};
  if (child.record.deadline_ms > 0) value["deadline_ms"] = child.record.deadline_ms;
  return value;
}

/// live(home) lists the live processes of all runs: { {run, step, pid, age_ms, main, deadline_ms?},
/// … }
json runs_live(Home& home) {
  json list = json::array();
  for (const LiveRunProcess& live : RunRegistry(home).live()) {
    list.push_back(to_json(live.process));
    list.back()["run"] = live.run;
  }
  return list;
}

/// holder(home, run) returns the pid of the process that drives the run; no value if none does
std::optional<std::int64_t> runs_holder(Home& home, std::string_view id) {
  const std::int64_t pid = RunRegistry(home).holder(id);
  return pid == 0 ? std::nullopt : std::optional(pid);
}

/// left(home, run) returns how many processes of the run's steps are alive
Result<std::size_t> runs_left(Home& home, std::string_view id) {
  auto run = RunRegistry(home).open(id);
  if (!run) return run.error();
  auto live = list_live(run->dir().fd());
  if (!live) return live.error();
  return live->size();
}

/// request_cancel(home, run): asks the process that drives the run to cancel it
Result<void> runs_request_cancel(Home& home, std::string_view id) {
  auto run = RunRegistry(home).open(id);
  return run ? CancelRequest::make(run->dir()) : run.error();
}

int end_locked(lua_State* L, Operation& operation) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  Result<RunLock>& lock = static_cast<LockWait&>(operation).lock();
  if (!lock) return raise_error(L, lock.error());
  auto& ended = push_box<Result<void>>(L);
  ended = LuaState::host_work(L, [&] {
    const RunLock held = std::move(*lock);  // releases the lock on return, not at a collection
    return RunRegistry(home).end_orphans(id, held);
  });
  if (!ended) return raise_error(L, ended.error());
  return 0;
}

/// end_orphans(home, run): ends the processes and the keeper of a run that no process drives
int runs_end_orphans(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  auto& waiting = push_box<Result<std::shared_ptr<LockWait>>>(L, Error{});
  waiting = RunRegistry(home).lock(Services::of(L).loop, id);
  if (!waiting) return raise_error(L, waiting.error());
  Pending& pending = Scheduler::of(L).prepare(L, end_locked, true);  // may raise an error
  pending.operation = std::move(*waiting);
  return Scheduler::of(L).await(L);
}

/// index_error() returns why keepers cannot register in the index of live keepers; no value if they
/// can
int runs_index_error(lua_State* L) {
  const Services& services = Services::of(L);
  if (services.state_dir().empty()) return 0;
  auto& made = push_box<Result<Dir>>(L, Error{});
  made = services.live_keepers().make();
  if (made) return 0;
  push_error(L, made.error());
  return 1;
}

/// keepers() lists the user's live keepers: { {id, place, removed, label, pid, age_ms, children}, …
/// }.
/// `removed` is true if the folder of the run or session was deleted. Only then `children` lists
/// live processes.
json runs_keepers(Services& services) {
  json list = json::array();
  for (LiveKeeper& keeper : services.live_keepers().list()) {
    json children = json::array();
    if (keeper.removed) {
      for (const LiveProcess& child : list_live(keeper)) children.push_back(to_json(child));
    }
    list.push_back({{"id", keeper.record.run_id},
                    {"place", keeper.run_dir},
                    {"label", keeper.record.label},
                    {"pid", keeper.record.worker_pid},
                    {"age_ms", keeper.age_ms},
                    {"removed", keeper.removed},
                    {"children", std::move(children)}});
  }
  return list;
}

/// end_keeper(place, grace): ends the keeper of a run or session whose folder `place` was deleted.
/// Waits until its processes have ended. They are killed after `grace` milliseconds.
Result<void> runs_end_keeper(Services& services, std::string_view place, lua_Integer grace) {
  const auto keeper = services.live_keepers().find_removed(place);
  return keeper ? end_keeper(*keeper, grace) : Result<void>();
}

}  // namespace

const luaL_Reg kCoreRuns[] = {
    {"sweep", guard<runs_sweep>},
    {"index_error", guard<runs_index_error>},
    {"keepers", raising<runs_keepers, kHostWork>},
    {"end_keeper", raising<runs_end_keeper, kHostWork>},
    {"live", raising<runs_live>},
    {"left", raising<runs_left>},
    {"holder", raising<runs_holder>},
    {"request_cancel", raising<runs_request_cancel>},
    {"end_orphans", guard<runs_end_orphans>},
    {nullptr, nullptr},
};

}  // namespace moonlet
