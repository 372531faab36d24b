// Journal is the record of a run in `steps.jsonl`, an append-only file of JSON objects.
// Records are numbered, hash chained and committed in groups.
// Journal owns the file and its writer's thread. A takeover of the lock stops all writes.
#pragma once

#include <cstdint>
#include <deque>
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

/// JournalWrite is a pending record. cancel() has no effect, because a write ends soon.
class JournalWrite final : public Operation {
 public:
  /// Returns the result of a finished write. After kDenied, the process that took the run over may
  /// have read the record. After any other error, the record is not in the journal.
  const Result<void>& result() const { return result_; }
  /// Returns the record's number; 0 before the write has finished, or after a failure.
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
  /// Opens the journal in a run's folder or makes a missing journal. Borrows `loop`.
  /// Holds `lock`, the run's lock, as long as the journal exists.
  /// Moves an unfinished write at the end to `steps.jsonl.torn-<n>`.
  /// Passes every record to `visit` in order. All records are durable after open().
  /// Fails with kFailed if durable bytes have changed; kDenied if a newer lock holder has written.
  static Result<std::unique_ptr<Journal>> open(const Dir& run_dir, const RunLock& lock, Loop& loop,
                                               const JournalVisitor& visit = nullptr);
  /// Waits until every record is on the disk or has failed, and completes each.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Returns what open() found: the number of records, and any damage.
  const JournalReport& found() const { return found_; }
  /// Returns the number of records that are certainly in the file.
  std::uint64_t records() const { return places_.size(); }
  /// Reads and checks the body of record `n`, from 1 to records().
  /// Fails with kInvalid if the record does not exist; kFailed if it is damaged.
  Result<std::string> body(std::uint64_t n) const;

  /// Appends a record. `body` is a JSON object on one line, at most 16 MiB (kInvalid, kLimit).
  /// The file has the records in the order of the append() calls.
  /// The write completes when the record is durable. Records of one loop turn share a sync.
  /// A failed write (a full disk) fails all waiting records; later records may succeed.
  /// After a failed sync, all later records fail until the journal is opened again.
  std::shared_ptr<JournalWrite> append(std::string body);
  /// Appends a record that a power loss may destroy. Completes when the record is written.
  /// The record is written with the next durable record or after some tens of milliseconds.
  /// After a failed relaxed record all later records fail, because the journal would have a gap.
  std::shared_ptr<JournalWrite> append_relaxed(std::string body);
  /// Writes the earlier records of append_relaxed() at the end of this loop turn, without a sync.
  /// Once in the file, they survive a kill of this process. Returns null if all are in the file.
  std::shared_ptr<JournalWrite> written();
  /// Writes, syncs and completes all pending records before it returns. Needs no running loop, so
  /// a host can call it at exit. Returns an error if a record has failed.
  Result<void> flush_blocking();

 private:
  struct Handles;
  struct Mark {
    std::uint64_t relaxed;  // complete `write` when this many relaxed records are written in total
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
  Handles* handles_ = nullptr;  // deletes itself after its handles are closed
  std::uint64_t pending_ = 0;   // records that the writer has not completed
  std::uint64_t pending_bytes_ = 0;
  std::size_t waiting_ = 0;  // records added since the last kick()
  std::int64_t waiting_since_ms_ = 0;
  std::optional<Loop::TimerId> relaxed_timer_;
  std::uint64_t relaxed_added_ = 0, relaxed_done_ = 0;
  std::deque<Mark> marks_;
  std::optional<Error> lost_;  // the error of a failed append_relaxed(); later records fail with it
};

}  // namespace moonlet
