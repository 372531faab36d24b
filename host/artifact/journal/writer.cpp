#include "host/artifact/journal/writer.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <new>
#include <system_error>
#include <utility>

#include "host/artifact/file/dir_open.h"
#include "host/artifact/journal/line.h"
#include "host/artifact/journal/read.h"
#include "host/base/release.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::size_t kMostRecords = 1024;
constexpr std::size_t kMostBytes = std::size_t{4} << 20;
constexpr std::size_t kSpareBytes = std::size_t{64} << 10;

}  // namespace

JournalWriter::JournalWriter(JournalFile file, std::function<void()> wake)
    : file_(std::move(file)), spare_(new char[kSpareBytes]), wake_(std::move(wake)) {}

JournalWriter::~JournalWriter() {
  if (!thread_.joinable()) return;
  if (owner_ != ::getpid()) {  // a forked child has no copy of the thread
    thread_.detach();
    return;
  }
  (void)drain();
  {
    const std::lock_guard guard(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void JournalWriter::add(JournalEntry entry) {
  const std::lock_guard guard(mutex_);
  if (failing_) {
    // An earlier record failed, but the caller of add() cannot know it yet. Fail this one, too.
    entry.error = failing_;
    done_.push_back(std::move(entry));
  } else {
    queue_.push_back(std::move(entry));
  }
}

void JournalWriter::kick() {
  {
    const std::lock_guard guard(mutex_);
    if (queue_.empty()) return;
    go_ = true;
  }
  start();
  changed_.notify_all();
}

// The writer thread blocks all signals, because they are for the program's own threads.
// A blocked SIGXFSZ (a write beyond the file size limit) becomes a plain EFBIG.
void JournalWriter::start() {
  if (thread_.joinable()) return;
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
    owner_ = ::getpid();
  } catch (const std::system_error& problem) {
    const std::lock_guard guard(mutex_);
    fail_queue(failure(problem.code().value(), "start the thread that writes"));
    go_ = false;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!thread_.joinable()) wake_();
}

std::vector<JournalEntry> JournalWriter::take_done() {
  const std::lock_guard guard(mutex_);
  failing_.reset();
  return std::exchange(done_, {});
}

Result<void> JournalWriter::drain() {
  if (owner_ != 0 && owner_ != ::getpid()) return {};
  std::unique_lock lock(mutex_);
  if (!thread_.joinable() && queue_.empty()) return {};
  drain_error_.reset();
  go_ = sync_wanted_ = true;
  lock.unlock();
  start();
  changed_.notify_all();
  lock.lock();
  if (thread_.joinable()) {
    changed_.wait(lock, [&] { return queue_.empty() && !busy_ && !sync_wanted_; });
  }
  sync_wanted_ = false;
  if (drain_error_) return *drain_error_;
  return {};
}

void JournalWriter::fail_queue(const Error& error) {
  failing_ = drain_error_ = error;
  for (auto& entry : queue_) entry.error = error;
  std::move(queue_.begin(), queue_.end(), std::back_inserter(done_));
  queue_.clear();
}

// Calls `fn`. If memory is exhausted, frees the spare memory and calls `fn` again.
template <typename Fn>
auto JournalWriter::with_spare(Fn fn) {
  try {
    return fn();
  } catch (const std::bad_alloc&) {
    spare_.reset();
    return fn();
  }
}

JournalWriter::Batch JournalWriter::take_batch() {
  Batch batch;
  batch.reserve(std::min<std::size_t>(queue_.size(), kMostRecords));
  std::size_t bytes = 0;
  while (!queue_.empty() && batch.size() < kMostRecords) {
    bytes += queue_.front().body.size();
    if (!batch.empty() && bytes > kMostBytes) break;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void JournalWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || sync_wanted_ || (go_ && !queue_.empty()); });
    if (queue_.empty() && !sync_wanted_) return;  // `stop_` is set and nothing is left to write
    Batch batch = with_spare([this] { return take_batch(); });
    const bool last = queue_.empty();
    const bool sync_all = sync_wanted_ && last;
    busy_ = true;
    lock.unlock();
    const auto error = commit(batch, sync_all);
    lock.lock();
    busy_ = false;
    with_spare([&] { done_.reserve(done_.size() + batch.size() + queue_.size()); });
    std::move(batch.begin(), batch.end(), std::back_inserter(done_));
    if (error) fail_queue(*error);
    if (sync_all || error) sync_wanted_ = false;
    if (queue_.empty()) go_ = false;
    lock.unlock();
    changed_.notify_all();
    wake_();
    lock.lock();
  }
}

// Writes a batch. An error is stored in the affected records and returned.
std::optional<Error> JournalWriter::commit(Batch& batch, bool sync_all) {
  if (batch.empty() && !unsynced_) return {};
  const std::uint64_t records = file_.records;
  const std::uint64_t size = file_.size;
  const std::string last_hash = file_.last_hash;
  bool durable = false;
  std::optional<Error> error;
  try {
    error = write_batch(batch, sync_all, durable);
  } catch (const std::bad_alloc&) {
    spare_.reset();
    error = broken_ = Error{ErrorKind::kFailed, "out of memory", {}, {}};  // short: no allocation
  }
  if (error) {
    file_.records = records;
    file_.size = size;
    file_.last_hash = last_hash;
    if (wrote_) cut_back();
    // If another process took the run over while this one was stopped, report the takeover.
    if (auto owned = file_.lock.check(); !owned && owned.error().kind == ErrorKind::kDenied) {
      error = broken_ = owned.error();
    }
  } else if (durable) {
    // Check the lock again after the sync. If it was lost, the next holder may have read the
    // journal without these records.
    auto owned = with_spare([this] { return file_.lock.check(); });
    if (!owned) error = broken_ = owned.error();
  }
  wrote_ = false;
  if (error) {
    for (auto& entry : batch) {
      if (!entry.error) entry.error = error;
      entry.n = 0;
    }
  }
  return error;
}

std::optional<Error> JournalWriter::write_batch(Batch& batch, bool sync_all, bool& durable) {
  if (auto error = broken_ ? broken_ : check_file()) return error;
  const std::string lines = lines_of(batch);
  for (const auto& entry : batch) {
    durable = durable || (!entry.error && entry.durable == Durable::kYes);
  }
  if (!lines.empty()) {
    if (auto error = write_lines(lines)) return error;
  }
  if (durable || (sync_all && unsynced_)) return sync();
  return {};
}

// Returns an error if another process has taken over the run, or has changed the journal file.
std::optional<Error> JournalWriter::check_file() {
  if (auto owned = file_.lock.check(); !owned) {
    if (owned.error().kind == ErrorKind::kDenied) broken_ = owned.error();
    return owned.error();
  }
  const std::string path = printable(file_.dir.path_of(kJournalName));
  const auto named = file_.dir.stat(kJournalName);
  struct stat ours {};
  if (::fstat(file_.fd.get(), &ours) != 0) return failure(errno, "inspect");
  if (!named && named.error().kind != ErrorKind::kInvalid) return named.error();
  const auto stop = [&](const char* what) {
    return broken_ =
               Error{ErrorKind::kFailed, std::string(what) + path,
                     "nothing more is written there; `moonlet run verify` shows its state", path};
  };
  if (!named || named->inode != static_cast<std::uint64_t>(ours.st_ino) ||
      named->device != static_cast<std::uint64_t>(ours.st_dev)) {
    return stop("the journal was removed or replaced by another program: ");
  }
  if (leftover_) {
    cut_back();
    if (leftover_) return failure(errno, "cut a failed write off");
    return {};
  }
  if (named->size != file_.size && static_cast<std::uint64_t>(ours.st_size) != file_.size) {
    return stop("the journal was changed by another program: ");
  }
  return {};
}

// Formats the records. A record with invalid JSON fails and is skipped.
std::string JournalWriter::lines_of(Batch& batch) {
  std::string lines;
  for (auto& entry : batch) {
    if (auto checked = check_journal_body(entry.body); !checked) {
      entry.error = checked.error();
      continue;
    }
    JournalLine line;
    line.n = entry.n = ++file_.records;
    line.generation = file_.lock.generation();
    line.rest_durable = lines.empty() && !unsynced_;
    line.previous = file_.last_hash;
    line.body = entry.body;
    entry.offset = file_.size + lines.size();
    file_.last_hash = append_journal_line(lines, line);
    entry.length = file_.size + lines.size() - entry.offset - 1;
    release(entry.body);
  }
  return lines;
}

std::optional<Error> JournalWriter::write_lines(std::string_view lines) {
  wrote_ = true;
  if (const int number = write_all(file_.fd.get(), lines); number != 0) {
    return failure(number, "write");
  }
  // Some network and FUSE file systems report writes that they did not perform.
  struct stat now {};
  if (::fstat(file_.fd.get(), &now) != 0) return failure(errno, "inspect");
  const std::uint64_t size = file_.size + lines.size();
  if (static_cast<std::uint64_t>(now.st_size) != size) return failure(EIO, "write");
  file_.size = size;
  unsynced_ = true;
  return {};
}

// A failed sync may leave lost pages marked as clean, so a second sync proves nothing.
std::optional<Error> JournalWriter::sync() {
  if (sync_data(file_.fd.get()) == 0) {
    unsynced_ = false;
    return {};
  }
  broken_ = failure(errno, "flush to the disk");
  broken_->hint = "nothing more is written there; when the disk works again, resume the run";
  wrote_ = true;
  return broken_;
}

void JournalWriter::cut_back() {
  leftover_ = ::ftruncate(file_.fd.get(), static_cast<off_t>(file_.size)) != 0;
}

Error JournalWriter::failure(int number, std::string_view doing) const {
  return Error::from_errno(number, doing, printable(file_.dir.path_of(kJournalName)));
}

}  // namespace moonlet
