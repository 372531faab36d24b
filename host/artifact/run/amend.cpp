#include "host/artifact/run/amend.h"

#include <utility>

#include "host/artifact/journal/journal.h"
#include "host/base/digest.h"

namespace moonlet {

namespace {

constexpr std::size_t kRecordCap = 64u << 20;

Result<void> append_record(Loop& loop, const RunDir& run, const RunLock& lock, std::string body) {
  auto journal = Journal::open(run.dir(), lock, loop);
  if (!journal) return journal.error();
  const auto write = (*journal)->append(std::move(body));
  if (auto flushed = (*journal)->flush_blocking(); !flushed) return flushed;
  return write->result();
}

}  // namespace

Result<Amended> amend_run(Loop& loop, const Dir& agent, const RunDir& run, Amendment amendment) {
  const auto lock = run.lock_in_passing();
  if (!lock && RunLock::holder(run.dir()) == 0) return lock.error();
  if (!lock) return Amended{false, lock.error()};
  if (!amendment.was.empty()) {
    const auto record = run.dir().read_file("run.json", kRecordCap);
    if (!record) return record.error();
    if (sha256_hex(record->bytes) != amendment.was) return Amended{};
  }
  Amended amended{true, {}};
  if (auto noted = append_record(loop, run, *lock, std::move(amendment.body)); !noted) {
    // A journal that is damaged must keep nobody from a decision, or from ending the run. One that
    // cannot be written now does: what it does not know would pass for a forgery.
    const ErrorKind kind = noted.error().kind;
    const bool damaged = kind == ErrorKind::kInvalid || kind == ErrorKind::kLimit;
    if (amendment.path.empty() || !damaged) return noted.error();
    amended.unrecorded = noted.error();
  }
  if (amendment.path.empty()) return amended;
  // A process may be stopped for long before it puts the file in its place.
  const auto still_ours = [&lock] { return lock->check(); };
  auto written = agent.write_file(amendment.path, amendment.text, Durable::kYes, still_ours);
  if (!written) return written.error();
  return amended;
}

}  // namespace moonlet
