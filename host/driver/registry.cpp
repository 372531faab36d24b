#include "host/driver/registry.h"

#include <utility>

#include "host/artifact/journal/journal.h"
#include "host/artifact/journal/read.h"
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

bool is_damaged(const RunDir& run) {
  const auto report = verify_journal(run.dir());
  return report && report->damage && !report->damage->other_format;
}

// A killed keeper may still hold its lock for a moment, but it does not answer.
bool keeper_answers(const RunDir& run) {
  const int dir = run.dir().fd();
  return keeper_is_alive(dir) && keeper_live(dir).ok();
}

}  // namespace

Result<const Dir*> RunRegistry::agent() const {
  auto agent = home_.existing();
  if (!agent || *agent != nullptr) return agent;
  return Error{ErrorKind::kInvalid, "there are no runs here", {}, {}};
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

std::shared_ptr<Sweep> RunRegistry::sweep(Loop& loop) const {
  return std::make_shared<Sweep>(loop, home_);
}

Sweep::Sweep(Loop& loop, Home& home) : loop_(loop), home_(home) {
  const auto agent = home.existing();
  if (agent && *agent != nullptr) {
    if (auto live = Runs(**agent).live(); live) ids_.assign(live->rbegin(), live->rend());
  }
  go_on();
}

void Sweep::go_on() {
  while (!ids_.empty()) {
    const std::string id = std::move(ids_.back());
    ids_.pop_back();
    const auto run = RunRegistry(home_).open(id);
    if (!run || keeper_answers(*run)) continue;
    wait_ = std::make_shared<LockWait>(loop_, run->dir(), id, TakeOver::kNo, Hold::kPass);
    if (!wait_->done()) {
      return wait_->on_complete([this, id] {
        const auto done = std::move(wait_);  // keep the operation alive during its callback
        sweep_locked(id, std::move(done->lock()));
        go_on();
      });
    }
    sweep_locked(id, std::move(wait_->lock()));
  }
  complete();
}

void Sweep::sweep_locked(const std::string& id, Result<RunLock> lock) {
  if (!lock) return;
  const auto run = RunRegistry(home_).open(id);
  if (!run) return;
  const auto swept = moonlet::sweep(run->dir().fd());
  if (!swept) return;
  if (swept->left == 0) {
    remove_temporary_folders(run->dir());
    (void)Runs(**home_.existing()).mark_finished(id);
  }
  swept_.push_back({id, static_cast<int>(swept->killed.size())});
}

void Sweep::start_cancel() {
  ids_.clear();
  if (wait_) wait_->cancel();
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
  // A keeper that does not answer may be about to end, so the sweep waits for its end.
  const auto swept = moonlet::sweep(dir, kKeeperEndMs);
  if (!swept) return swept.error();
  // Some processes survived. Keep the run's live mark, so that a later sweep kills them.
  if (swept->left > 0) return {};
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
    // If the journal cannot hold the record, write the file nevertheless. After any other failure,
    // write nothing, because `verify` would report a file without its record as forged.
    const ErrorKind kind = noted.error().kind;
    const bool unfit = kind == ErrorKind::kInvalid || kind == ErrorKind::kLimit;
    if (amendment.path.empty() || !(unfit || is_damaged(*run))) return noted.error();
    amended.unrecorded = noted.error();
  }
  if (amendment.path.empty()) return amended;
  // The lock may be lost while this process is stopped, so check the lock before the rename.
  auto written =
      (*home_.existing())->write_file(amendment.path, amendment.text, Durable::kYes, [&lock] {
        return lock.check();
      });
  if (!written) return written.error();
  return amended;
}

}  // namespace moonlet
