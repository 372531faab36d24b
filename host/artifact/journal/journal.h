// The journal of a run, `steps.jsonl`: an append-only file of records, one JSON object each, that
// are numbered, hash chained and committed in groups. It owns the file and its writer's thread; it
// does not know the meaning of a record. It refuses to write for a holder whose lock was taken
// over. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/artifact/journal/lock.h"
#include "host/artifact/journal/read.h"
#include "host/base/loop.h"
#include "host/base/operation.h"
#include "host/base/result.h"

namespace moonlet {

class JournalWriter;

/// One record on its way to the disk. It cannot be cancelled: cancel() does nothing, because it
/// completes within the time of two writes.
class JournalWrite final : public Operation {
 public:
  /// The error of a write that is done: the record is not in the journal. Only with kDenied this is
  /// uncertain: another process has taken the run over and may have read the record.
  const Result<void>& result() const { return result_; }
  /// Its number in the journal; 0 until it is done, and if it failed.
  std::uint64_t n() const { return n_; }

 private:
  friend class Journal;
  void finish(std::uint64_t n, std::optional<Error> error);
  void start_cancel() override {}

  Result<void> result_;
  std::uint64_t n_ = 0;
};

class Journal {
 public:
  /// Opens the journal in a run's folder and makes a missing one. `lock` is the lock of that run,
  /// and is held until the journal is gone. An unfinished write at the end is cut off and kept as
  /// `steps.jsonl.torn-<n>`. Every record is shown to `visit`, in order; all of them are durable
  /// when this returns. Errors: kFailed when the file is damaged (a byte changed that had been
  /// durable), kDenied when a newer holder has written there. Borrows `loop`.
  static Result<std::unique_ptr<Journal>> open(const Dir& run_dir, const RunLock& lock, Loop& loop,
                                               const JournalVisitor& visit = nullptr);
  /// Waits until everything is on the disk or has failed, and completes it.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// How many records there were at opening, and which faults were found.
  const JournalReport& found() const { return found_; }
  /// The number of records that are in the file for certain.
  std::uint64_t records() const { return places_.size(); }
  /// The body of record `n` (1 to records()), read from the file and checked. kInvalid when there
  /// is no such record, kFailed when it is damaged.
  Result<std::string> body(std::uint64_t n) const;

  /// Adds a record: `body` is a JSON object on one line, at most 16 MiB (kLimit; kInvalid). Records
  /// reach the file in the order of these calls. The write completes when the record is durable,
  /// together with others: all that are added in one turn of the loop, or while an earlier sync
  /// runs, share one. After a failed write (a full disk) all waiting records have failed and none
  /// of them is in the file; the next ones may succeed. After a failed sync no record can succeed:
  /// open the journal again.
  std::shared_ptr<JournalWrite> append(std::string body);
  /// Adds a record that a power loss may destroy. It is written with the next durable record or
  /// after some tens of milliseconds, and completes when it is written. Callers rarely wait for it.
  /// So after one such record has failed, all later records fail with its error, because the
  /// journal would have a gap. Open the journal again then.
  std::shared_ptr<JournalWrite> append_relaxed(std::string body);
  /// Writes all relaxed records that were added so far without further delay. Completes when they
  /// are in the file, where they survive a kill of this process; it does not wait for the disk.
  /// Returns null if all are in the file already. Its error says that a record has failed.
  std::shared_ptr<JournalWrite> written();
  /// Writes and completes everything before it returns, for a host that exits. Returns an error if
  /// a record failed meanwhile.
  Result<void> flush_blocking();

 private:
  struct Handles;
  struct Mark {  // a waiter for the first `relaxed` relaxed records
    std::uint64_t relaxed;
    std::shared_ptr<JournalWrite> write;
  };
  struct Place {
    std::uint64_t offset;
    std::uint64_t length;
  };

  Journal(Loop& loop, std::string path);
  std::optional<Error> refusal(std::string_view body, Durable durable);
  std::shared_ptr<JournalWrite> add(std::string body, Durable durable);
  void kick();
  void kick_at_turns_end();
  void deliver();
  std::vector<std::shared_ptr<JournalWrite>> take_reached();

  Loop& loop_;
  std::string path_;
  JournalReport found_;
  std::vector<Place> places_;
  std::unique_ptr<JournalWriter> writer_;
  Handles* handles_ = nullptr;  // closes itself on the loop
  std::uint64_t pending_ = 0;   // handed to the writer, not yet completed
  std::uint64_t pending_bytes_ = 0;
  std::size_t waiting_ = 0;  // added since the last kick
  std::int64_t waiting_since_ms_ = 0;
  std::optional<Loop::TimerId> relaxed_timer_;
  std::uint64_t relaxed_added_ = 0, relaxed_done_ = 0;
  std::deque<Mark> marks_;
  std::optional<Error> lost_;  // why a relaxed record can never reach the file
};

}  // namespace moonlet
