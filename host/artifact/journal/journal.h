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

/// One record on its way to the disk. It cannot be called back: cancel() does nothing, completion
/// comes within the time of two writes.
class JournalWrite final : public Operation {
 public:
  /// Once done. An error means that the record is not in the journal; but kDenied means that
  /// another process has taken the run over, which may or may not have read this record before.
  const Result<void>& result() const { return result_; }
  /// Its number in the journal; 0 until it is done, and when it failed.
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

  /// The number of records when it was opened, and the faults found beside them.
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
  /// of them is in the file; the next ones may succeed. After a failed sync none will: open it
  /// anew.
  std::shared_ptr<JournalWrite> append(std::string body);
  /// The same for a record that may be lost with the machine's power: it goes with the next durable
  /// one, or by itself after some tens of milliseconds, and completes when it is written. Callers
  /// rarely wait for it, so once one has failed, all later records of either kind fail with its
  /// error: the journal would have a hole. Open it anew then.
  std::shared_ptr<JournalWrite> append_relaxed(std::string body);
  /// Completes when every relaxed record that was added by now is in the file, safe from a kill of
  /// this process, and hurries them; it does not wait for the disk. Null when all are in the file.
  /// An error when one has failed.
  std::shared_ptr<JournalWrite> written();
  /// Brings everything to the disk and completes it before it returns: the end of the host. An
  /// error when something failed meanwhile.
  Result<void> flush_blocking();

 private:
  struct Handles;
  struct Mark {  // a waiter for so many relaxed records
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
