// JournalWriter is the thread that numbers, chains, writes and syncs a journal's records.
// A batch takes one write and one sync. A slow disk does not block the loop.
// Owns the file's descriptor. Refuses to write after another process has taken over the run or
// has changed the file.
// Calls `wake` from its own thread; take_done() returns the records to the loop.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/artifact/journal/lock.h"
#include "host/base/result.h"

namespace moonlet {

class JournalWrite;

struct JournalFile {
  Dir dir;
  Fd fd;  ///< opened for appending
  RunLock lock;
  std::uint64_t records = 0;
  std::uint64_t size = 0;
  std::string last_hash;
};

struct JournalEntry {
  std::string body;
  std::shared_ptr<JournalWrite> write;  ///< touched only on the loop's thread
  std::size_t size = 0;                 ///< the length of the body
  Durable durable = Durable::kYes;
  // Only the writer thread sets the next members.
  std::uint64_t n = 0, offset = 0, length = 0;
  std::optional<Error> error;
};

class JournalWriter {
 public:
  JournalWriter(JournalFile file, std::function<void()> wake);
  /// Waits until every record is written or has failed.
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  /// Queues a record until kick().
  void add(JournalEntry entry);
  void kick();
  /// Returns, in order, the entries that have been written or have failed since the last call.
  std::vector<JournalEntry> take_done();
  /// Writes and syncs everything that is queued, and waits for the result.
  Result<void> drain();

  int fd() const { return file_.fd.get(); }

 private:
  using Batch = std::vector<JournalEntry>;

  void start();
  void run();
  template <typename Fn>
  auto with_spare(Fn fn);
  Batch take_batch();
  std::optional<Error> commit(Batch& batch, bool sync_all);
  std::optional<Error> write_batch(Batch& batch, bool sync_all, bool& durable);
  void fail_queue(const Error& error);
  std::optional<Error> check_file();
  std::string lines_of(Batch& batch);
  std::optional<Error> write_lines(std::string_view lines);
  std::optional<Error> sync();
  void cut_back();
  Error failure(int number, std::string_view doing) const;

  // Only the writer thread uses the next members.
  JournalFile file_;
  bool unsynced_ = false;          // the file has whole records that were not synced
  bool wrote_ = false;             // the current batch has written to the file
  bool leftover_ = false;          // a failed write has left a part of a record at the file's end
  std::optional<Error> broken_;    // the error that makes every later write fail
  std::unique_ptr<char[]> spare_;  // freed if memory runs out, so that records still complete

  std::function<void()> wake_;
  std::thread thread_;
  pid_t owner_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<JournalEntry> queue_;
  std::vector<JournalEntry> done_;
  std::optional<Error> failing_;  // new records fail with this error until the loop reads it
  std::optional<Error> drain_error_;
  bool go_ = false;
  bool sync_wanted_ = false;
  bool stop_ = false;
  bool busy_ = false;
};

}  // namespace moonlet
