#include "host/driver/orphans.h"

#include "host/artifact/run/directory.h"
#include "host/process/client/control.h"
#include "host/process/client/sweep.h"
#include "host/process/client/temporary_folders.h"

namespace moonlet {

Result<RunDir> open_run(Home& home, std::string_view id) {
  auto agent = home.existing();
  if (!agent) return agent.error();
  if (*agent != nullptr) return Runs(**agent).open(id);
  Error error;
  error.kind = ErrorKind::kInvalid;
  error.message = "there are no runs here";
  return error;
}

std::vector<SweptRun> sweep_runs(Home& home) {
  std::vector<SweptRun> swept_runs;
  const auto agent = home.existing();
  if (!agent || *agent == nullptr) return swept_runs;
  const Runs runs(**agent);
  const auto live = runs.live();
  if (!live) return swept_runs;
  for (const std::string& id : *live) {
    auto run = runs.open(id);
    if (!run) continue;
    const int dir = run->dir().fd();
    // A keeper that was just killed may still have its lock, but it does not answer.
    if (keeper_is_alive(dir) && keeper_live(dir).ok()) continue;
    auto lock = run->lock(TakeOver::kNo, Hold::kPass);
    if (!lock) continue;
    auto swept = sweep(dir);
    if (!swept) continue;
    if (swept->left == 0) remove_temporary_folders(run->dir());
    (void)runs.mark_finished(id);
    swept_runs.push_back({id, static_cast<int>(swept->killed.size())});
  }
  return swept_runs;
}

Result<void> end_orphans(Home& home, std::string_view id) {
  auto run = open_run(home, id);
  if (!run) return run.error();
  auto lock = run->lock_in_passing();
  if (!lock) return lock.error();
  const int dir = run->dir().fd();
  if (auto live = keeper_live(dir); live) {
    for (const ChildRecord& child : *live) (void)keeper_cancel(dir, child.number);
    (void)keeper_shutdown(dir);
  }
  // A keeper that does not answer may be about to end, so the sweep waits for it.
  constexpr std::int64_t kPatienceMs = 10'000;
  if (auto swept = sweep(dir, kPatienceMs); !swept) return swept.error();
  remove_temporary_folders(run->dir());
  return Runs(*(*home.existing())).mark_finished(id);
}

}  // namespace moonlet
