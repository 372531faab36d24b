// The thread that brings records into a journal's file: it numbers and chains them, writes all that
// waits with one write, and syncs it once. It owns the file's descriptor and refuses to write when
// the run's lock was taken over or somebody else touched the file. It knows no loop: it calls
// `wake` from its own thread, and the records are handed back by take_done(). A thread of its own
// keeps a slow disk from stopping every branch of the run, and one sync serves all that wait.
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

/// A journal's open file and its position.
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
  // Set by the writer:
  std::uint64_t n = 0, offset = 0, length = 0;
  std::optional<Error> error;
};

class JournalWriter {
 public:
  JournalWriter(JournalFile file, std::function<void()> wake);
  /// Waits until everything is written or has failed.
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  /// Puts a record in the queue; it stays there until kick().
  void add(JournalEntry entry);
  void kick();
  /// The entries that are written or have failed since the last call, in order.
  std::vector<JournalEntry> take_done();
  /// Writes and syncs everything that waits, and returns when that is done or has failed.
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

  // Used only by the thread, once it runs:
  JournalFile file_;
  bool unsynced_ = false;          // the file holds whole records that were not synced
  bool wrote_ = false;             // the batch has touched the file
  bool leftover_ = false;          // the file holds a part of a failed write
  std::optional<Error> broken_;    // permanent: no write follows
  std::unique_ptr<char[]> spare_;  // memory for the end of a process that has no more

  std::function<void()> wake_;
  std::thread thread_;
  pid_t owner_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<JournalEntry> queue_;
  std::vector<JournalEntry> done_;
  std::optional<Error> failing_;  // until the loop has taken it
  std::optional<Error> drain_error_;
  bool go_ = false;
  bool sync_wanted_ = false;
  bool stop_ = false;
  bool busy_ = false;
};

}  // namespace moonlet
