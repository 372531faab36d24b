#include "host/driver/registry.h"

#include <utility>

#include "host/artifact/journal/journal.h"
#include "host/base/digest.h"
#include "host/process/client/requests.h"
#include "host/process/client/temporary_folders.h"

namespace moonlet {

namespace {

constexpr std::int64_t kKeeperEndMs = 10'000;
constexpr std::size_t kRecordCap = 64u << 20;

Result<void> append_record(Loop& loop, const RunDir& run, const RunLock& lock, std::string body) {
  auto journal = Journal::open(run.dir(), lock, loop);
  if (!journal) return journal.error();
  const auto write = (*journal)->append(std::move(body));
  if (auto flushed = (*journal)->flush_blocking(); !flushed) return flushed;
  return write->result();
}

// Returns how many processes were ended; empty if the run was left alone.
std::optional<int> sweep_run(const Runs& runs, const std::string& id) {
  auto run = runs.open(id);
  if (!run) return std::nullopt;
  const int dir = run->dir().fd();
  // A keeper that was just killed may still have its lock, but it does not answer.
  if (keeper_is_alive(dir) && keeper_live(dir).ok()) return std::nullopt;
  const auto locked = run->try_lock(TakeOver::kNo, Hold::kPass);
  if (!locked.lock) return std::nullopt;
  auto swept = sweep(dir);
  if (!swept) return std::nullopt;
  if (swept->left == 0) remove_temporary_folders(run->dir());
  (void)runs.mark_finished(id);
  return static_cast<int>(swept->killed.size());
}

}  // namespace

Result<const Dir*> RunRegistry::agent() const {
  auto agent = home_.existing();
  if (!agent || *agent != nullptr) return agent;
  Error error;
  error.kind = ErrorKind::kInvalid;
  error.message = "there are no runs here";
  return error;
}

Result<RunDir> RunRegistry::open(std::string_view id) const {
  auto where = agent();
  if (!where) return where.error();
  return Runs(**where).open(id);
}

std::int64_t RunRegistry::holder(std::string_view id) const {
  const auto run = open(id);
  return run ? RunLock::holder(run->dir()) : 0;
}

std::vector<LiveRunProcess> RunRegistry::live() const {
  std::vector<LiveRunProcess> processes;
  const auto where = agent();
  if (!where) return processes;
  const auto ids = Runs(**where).live();
  if (!ids) return processes;
  for (const std::string& id : *ids) {
    const auto run = Runs(**where).open(id);
    if (!run) continue;
    auto listed = list_live(run->dir().fd());
    if (!listed) continue;
    for (LiveProcess& process : *listed) processes.push_back({id, std::move(process)});
  }
  return processes;
}

std::vector<SweptRun> RunRegistry::sweep() const {
  std::vector<SweptRun> swept;
  const auto where = agent();
  if (!where) return swept;
  const Runs runs(**where);
  const auto ids = runs.live();
  if (!ids) return swept;
  for (const std::string& id : *ids) {
    if (const auto killed = sweep_run(runs, id)) swept.push_back({id, *killed});
  }
  return swept;
}

Result<std::shared_ptr<LockWait>> RunRegistry::lock(Loop& loop, std::string_view id) const {
  const auto run = open(id);
  if (!run) return run.error();
  return std::make_shared<LockWait>(loop, run->dir(), id, TakeOver::kNo, Hold::kPass);
}

Result<void> RunRegistry::end_orphans(std::string_view id, const RunLock& lock) const {
  const auto run = open(id);
  if (!run) return run.error();
  if (auto ours = lock.check(); !ours) return ours;
  const int dir = run->dir().fd();
  if (auto live = keeper_live(dir); live) {
    for (const ChildRecord& child : *live) (void)keeper_cancel(dir, child.number);
    (void)keeper_shutdown(dir);
  }
  // A keeper that does not answer may be about to end, so the sweep waits for it.
  if (auto swept = moonlet::sweep(dir, kKeeperEndMs); !swept) return swept.error();
  remove_temporary_folders(run->dir());
  return Runs(**home_.existing()).mark_finished(id);
}

Result<Amended> RunRegistry::amend(Loop& loop, std::string_view id, const RunLock& lock,
                                   Amendment amendment) const {
  const auto run = open(id);
  if (!run) return run.error();
  if (!amendment.was.empty()) {
    const auto record = run->dir().read_file("run.json", kRecordCap);
    if (!record) return record.error();
    if (sha256_hex(record->bytes) != amendment.was) return Amended{};
  }
  Amended amended{true, {}};
  if (auto noted = append_record(loop, *run, lock, std::move(amendment.body)); !noted) {
    // A damaged journal keeps nobody from a decision or from ending the run. Any other failure is
    // an error: without the record, `verify` would report the file as forged.
    const ErrorKind kind = noted.error().kind;
    const bool damaged = kind == ErrorKind::kInvalid || kind == ErrorKind::kLimit;
    if (amendment.path.empty() || !damaged) return noted.error();
    amended.unrecorded = noted.error();
  }
  if (amendment.path.empty()) return amended;
  // This process may be stopped for a long time before it replaces the file.
  auto written =
      (*home_.existing())->write_file(amendment.path, amendment.text, Durable::kYes, [&lock] {
        return lock.check();
      });
  if (!written) return written.error();
  return amended;
}

}  // namespace moonlet
