// core.runs handles runs that this process does not drive, and the live keepers of the user.
#include <utility>
#include <vector>

#include "host/driver/cancel_request.h"
#include "host/driver/registry.h"
#include "lua/core/core.h"
#include "lua/core/run.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/scheduler.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"

namespace moonlet {

namespace {

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
  Pending& pending = Scheduler::of(L).prepare(L, push_swept);  // may raise an error
  pending.operation = RunRegistry(home).sweep(Services::of(L).loop);
  return Scheduler::of(L).await(L);
}

void push_child(lua_State* L, const LiveProcess& child) {
  lua_createtable(L, 0, 6);
  set_text(L, "step", child.record.step);
  set_number(L, "pid", child.info.pid);
  set_number(L, "age_ms", child.age_ms);
  set_flag(L, "main", child.main);
  if (child.record.deadline_ms > 0) set_number(L, "deadline_ms", child.record.deadline_ms);
}

/// live(home) lists the live processes of all runs: { {run, step, pid, age_ms, main, deadline_ms?},
/// … }
int runs_live(lua_State* L) {
  Home& home = check_home(L, 1);
  lua_settop(L, 1);
  lua_newtable(L);
  auto& found = push_box<std::vector<LiveRunProcess>>(L);
  found = RunRegistry(home).live();
  lua_Integer count = 0;
  for (const LiveRunProcess& live : found) {
    push_child(L, live.process);
    set_text(L, "run", live.run);
    lua_rawseti(L, 2, ++count);
  }
  lua_settop(L, 2);
  return 1;
}

/// holder(home, run) returns the pid of the process that drives the run; no value if none does
int runs_holder(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  const std::int64_t pid = RunRegistry(home).holder(id);
  if (pid == 0) return 0;
  lua_pushinteger(L, pid);
  return 1;
}

/// left(home, run) returns how many processes of the run's steps are alive
int runs_left(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  auto& live = push_box<Result<std::vector<LiveProcess>>>(L, Error{});
  if (auto run = RunRegistry(home).open(id); run) {
    live = list_live(run->dir().fd());
  } else {
    live = run.error();
  }
  if (!live) return raise_error(L, live.error());
  lua_pushinteger(L, static_cast<lua_Integer>(live->size()));
  return 1;
}

/// request_cancel(home, run): asks the process that drives the run to cancel it
int runs_request_cancel(lua_State* L) {
  Home& home = check_home(L, 1);
  const std::string_view id = check_text(L, 2);
  auto& asked = push_box<Result<void>>(L);
  if (auto run = RunRegistry(home).open(id); run) {
    asked = CancelRequest::make(run->dir());
  } else {
    asked = run.error();
  }
  if (!asked) return raise_error(L, asked.error());
  return 0;
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
int runs_keepers(lua_State* L) {
  using Found = std::vector<std::pair<LiveKeeper, std::vector<LiveProcess>>>;
  auto& found = push_box<Found>(L);
  const LiveIndex index = Services::of(L).live_keepers();
  LuaState::host_work(L, [&] {
    for (LiveKeeper& keeper : index.list()) {
      auto children = keeper.removed ? list_live(keeper) : std::vector<LiveProcess>();
      found.emplace_back(std::move(keeper), std::move(children));
    }
    return 0;
  });
  lua_createtable(L, static_cast<int>(found.size()), 0);
  lua_Integer count = 0;
  for (const auto& [keeper, children] : found) {
    lua_createtable(L, 0, 7);
    set_text(L, "id", keeper.record.run_id);
    set_text(L, "place", keeper.run_dir);
    set_text(L, "label", keeper.record.label);
    set_number(L, "pid", keeper.record.worker_pid);
    set_number(L, "age_ms", keeper.age_ms);
    set_flag(L, "removed", keeper.removed);
    lua_createtable(L, static_cast<int>(children.size()), 0);
    for (std::size_t i = 0; i < children.size(); ++i) {
      push_child(L, children[i]);
      lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    }
    lua_setfield(L, -2, "children");
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

/// end_keeper(place, grace): ends the keeper of a run or session whose folder `place` was deleted.
/// Waits until its processes have ended. They are killed after `grace` milliseconds.
int runs_end_keeper(lua_State* L) {
  const std::string_view place = check_text(L, 1);
  const lua_Integer grace = luaL_checkinteger(L, 2);
  auto& ended = push_box<Result<void>>(L);
  const LiveIndex index = Services::of(L).live_keepers();
  ended = LuaState::host_work(L, [&]() -> Result<void> {
    const auto keeper = index.find_removed(place);
    return keeper ? end_keeper(*keeper, grace) : Result<void>();
  });
  if (!ended) return raise_error(L, ended.error());
  return 0;
}

}  // namespace

const luaL_Reg kCoreRuns[] = {
    {"sweep", guard<runs_sweep>},
    {"index_error", guard<runs_index_error>},
    {"keepers", guard<runs_keepers>},
    {"end_keeper", guard<runs_end_keeper>},
    {"live", guard<runs_live>},
    {"left", guard<runs_left>},
    {"holder", guard<runs_holder>},
    {"request_cancel", guard<runs_request_cancel>},
    {"end_orphans", guard<runs_end_orphans>},
    {nullptr, nullptr},
};

}  // namespace moonlet
