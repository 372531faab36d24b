// Test fixtures: a run with its lock and journal.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/artifact/journal/journal.h"
#include "host/artifact/run/directory.h"
#include "tests/host/artifact/scratch.h"

namespace moonlet::test {

/// Acquires the lock, and waits if its holder is about to release it.
inline Result<RunLock> lock_run(const Dir& dir, std::string_view id,
                                TakeOver take_over = TakeOver::kNo, Hold hold = Hold::kDrive) {
  SystemClock clock;
  Loop loop(clock);
  LockWait wait(loop, dir, id, take_over, hold);
  while (!wait.done()) loop.run_once();
  return std::move(wait.lock());
}

/// A temporary folder that serves as a run's folder.
class JournalRun {
 public:
  JournalRun() : dir_(open(scratch_)) {}
  explicit JournalRun(const std::string& below) : scratch_(below), dir_(open(scratch_)) {}

  const Dir& dir() const { return dir_; }
  std::string path() const { return scratch_.path(); }
  std::string file() const { return scratch_ / kJournalName; }
  Result<RunLock> lock(TakeOver take_over = TakeOver::kNo, Hold hold = Hold::kDrive) const {
    return lock_run(dir_, "R-001", take_over, hold);
  }

 private:
  static Dir open(const Scratch& scratch) { return std::move(*Dir::open(scratch.path())); }

  Scratch scratch_;
  Dir dir_;
};

/// The parts of a process that drives a run: loop, lock and journal, and the records read so far.
struct JournalDriver {
  SystemClock clock;
  Loop loop{clock};
  std::vector<std::string> seen;
  std::unique_ptr<Journal> journal;

  /// Opens the journal. Returns the error, or one with an empty message.
  Error open(const Dir& dir, TakeOver take_over = TakeOver::kNo) {
    auto lock = lock_run(dir, "R-001", take_over);
    if (!lock) return lock.error();
    return open(dir, *lock);
  }
  Error open(const Dir& dir, const RunLock& lock) {
    seen.clear();
    journal.reset();
    auto opened = Journal::open(
        dir, lock, loop, [this](const JournalRecord& record) { seen.emplace_back(record.body); });
    if (!opened) return opened.error();
    journal = std::move(*opened);
    return {};
  }
  Result<void> wait(const std::shared_ptr<JournalWrite>& write) {
    while (!write->done()) loop.run_once();
    return write->result();
  }
  Result<void> append(std::string body) { return wait(journal->append(std::move(body))); }
};

inline std::string numbered_body(int i) { return "{\"i\":" + std::to_string(i) + "}"; }

}  // namespace moonlet::test
