#include "host/artifact/journal/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host/artifact/file/dir_open.h"
#include "host/artifact/journal/line.h"
#include "host/artifact/journal/writer.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

// Waiting records are written at the end of a loop turn, or after 2 ms if the turn is long.
constexpr std::int64_t kLongestWaitMs = 2;
constexpr std::size_t kMostWaiting = 256;
constexpr std::int64_t kRelaxedMs = 50;
// Limits the memory of records that wait for the disk.
constexpr std::uint64_t kMostPendingBytes = std::uint64_t{256} << 20;

// Fills `bytes` from the file at `offset`. If the file ends earlier, shortens `bytes`. Returns 0 or
// an errno.
int read_at(int fd, std::uint64_t offset, std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) bytes.resize(done);
    done += static_cast<std::size_t>(got);
  }
  return 0;
}

}  // namespace

void JournalWrite::finish(std::uint64_t n, std::optional<Error> error) {
  n_ = n;
  if (error) result_ = std::move(*error);
  complete();
}

struct Journal::Handles {
  uv_async_t done{};    // wakes the loop when records are written or have failed
  uv_prepare_t turn{};  // calls back in each loop turn, before the loop waits
  int open = 2;

  void close() {
    const auto closed = [](uv_handle_t* handle) {
      auto* self = static_cast<Handles*>(handle->data);
      if (--self->open == 0) delete self;
    };
    done.data = turn.data = this;
    uv_close(reinterpret_cast<uv_handle_t*>(&done), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&turn), closed);
  }
};

Journal::Journal(Loop& loop, std::string path)
    : loop_(loop), path_(std::move(path)), handles_(new Handles) {
  uv_async_init(loop.raw(), &handles_->done,
                [](uv_async_t* async) { static_cast<Journal*>(async->data)->deliver(); });
  uv_prepare_init(loop.raw(), &handles_->turn);
  handles_->done.data = handles_->turn.data = this;
  // Only pending writes keep the loop alive.
  uv_unref(reinterpret_cast<uv_handle_t*>(&handles_->done));
}

Journal::~Journal() {
  if (relaxed_timer_) loop_.cancel(*relaxed_timer_);
  std::vector<JournalEntry> done;
  if (writer_) {
    if (pending_ > 0) (void)writer_->drain();
    done = writer_->take_done();
    writer_.reset();
  }
  handles_->close();
  const auto marks = std::move(marks_);
  for (auto& entry : done) entry.write->finish(entry.n, std::move(entry.error));
  for (const auto& mark : marks) mark.write->finish(0, std::nullopt);
}

std::optional<Error> Journal::refusal(std::string_view body, Durable durable) {
  if (lost_) return lost_;
  if (body.size() > kLongestBody) return check_journal_body(body).error();
  // append_relaxed() blocks only if too many bytes wait to be written.
  if (durable == Durable::kNo && pending_bytes_ + body.size() > kMostPendingBytes) {
    if (auto flushed = flush_blocking(); !flushed) return flushed.error();
  }
  if (pending_bytes_ + body.size() <= kMostPendingBytes) return {};
  return Error{ErrorKind::kLimit,
               "more than " + std::to_string(kMostPendingBytes >> 20) +
                   " MiB wait to be written into " + path_,
               "wait for records to be durable before adding more", path_};
}

std::shared_ptr<JournalWrite> Journal::add(std::string body, Durable durable) {
  auto write = std::make_shared<JournalWrite>();
  if (auto refused = refusal(body, durable)) {
    if (durable == Durable::kNo) lost_ = refused;
    write->finish(0, std::move(refused));
    return write;
  }
  if (durable == Durable::kNo) ++relaxed_added_;
  if (pending_ == 0) uv_ref(reinterpret_cast<uv_handle_t*>(&handles_->done));
  ++pending_;
  pending_bytes_ += body.size();
  if (waiting_++ == 0) waiting_since_ms_ = loop_.clock().monotonic_ms();
  JournalEntry entry;
  entry.size = body.size();
  entry.body = std::move(body);
  entry.write = write;
  entry.durable = durable;
  writer_->add(std::move(entry));
  if (waiting_ >= kMostWaiting ||
      (durable == Durable::kYes &&
       loop_.clock().monotonic_ms() - waiting_since_ms_ >= kLongestWaitMs)) {
    kick();
  } else if (durable == Durable::kYes) {
    kick_at_turns_end();
  } else if (!relaxed_timer_) {
    relaxed_timer_ = loop_.after(kRelaxedMs, [this] {
      relaxed_timer_.reset();
      kick();
    });
  }
  return write;
}

std::shared_ptr<JournalWrite> Journal::append(std::string body) {
  return add(std::move(body), Durable::kYes);
}

std::shared_ptr<JournalWrite> Journal::append_relaxed(std::string body) {
  return add(std::move(body), Durable::kNo);
}

std::shared_ptr<JournalWrite> Journal::written() {
  if (!lost_ && relaxed_done_ == relaxed_added_) return nullptr;
  auto write = std::make_shared<JournalWrite>();
  if (lost_) {
    write->finish(0, lost_);
  } else {
    marks_.push_back({relaxed_added_, write});
    kick_at_turns_end();
  }
  return write;
}

void Journal::kick_at_turns_end() {
  uv_prepare_start(&handles_->turn,
                   [](uv_prepare_t* turn) { static_cast<Journal*>(turn->data)->kick(); });
}

void Journal::kick() {
  uv_prepare_stop(&handles_->turn);
  if (relaxed_timer_) loop_.cancel(*std::exchange(relaxed_timer_, std::nullopt));
  waiting_ = 0;
  writer_->kick();
}

void Journal::deliver() {
  auto done = writer_->take_done();
  if (done.empty()) return;
  pending_ -= done.size();
  if (pending_ == 0) uv_unref(reinterpret_cast<uv_handle_t*>(&handles_->done));
  for (const auto& entry : done) {
    pending_bytes_ -= entry.size;
    if (!entry.error) places_.push_back({entry.offset, entry.length});
    if (entry.durable == Durable::kYes) continue;
    ++relaxed_done_;
    if (entry.error && !lost_) lost_ = entry.error;
  }
  const auto reached = take_reached();
  const auto lost = lost_;
  // Use no member from here on, because a callback of finish() may destroy this journal.
  for (auto& entry : done) entry.write->finish(entry.n, std::move(entry.error));
  for (const auto& write : reached) write->finish(0, lost);
}

// Removes the operations of written() whose records are now in the file, and returns them in order.
std::vector<std::shared_ptr<JournalWrite>> Journal::take_reached() {
  std::vector<std::shared_ptr<JournalWrite>> reached;
  for (; !marks_.empty() && marks_.front().relaxed <= relaxed_done_; marks_.pop_front()) {
    reached.push_back(std::move(marks_.front().write));
  }
  return reached;
}

Result<void> Journal::flush_blocking() {
  kick();
  auto drained = writer_->drain();
  deliver();
  return drained;
}

Result<std::string> Journal::body(std::uint64_t n) const {
  const std::string record = std::to_string(n);
  if (n == 0 || n > places_.size()) {
    return Error{ErrorKind::kInvalid, "there is no record " + record + " in " + path_, {}, path_};
  }
  const Place place = places_[n - 1];
  std::string text(place.length, '\0');
  if (const int number = read_at(writer_->fd(), place.offset, text); number != 0) {
    return Error::from_errno(number, "read", path_);
  }
  const auto line = parse_journal_line(text);
  if (line && line->n == n && journal_line_is_whole(text, *line)) return std::string(line->body);
  return Error{ErrorKind::kFailed,
               "record " + record + " of " + path_ + " was changed while it was open",
               "`moonlet run verify` shows the state of the run", path_};
}

namespace {

/// `Opening` opens the journal file and repairs its end before the first append.
class Opening {
 public:
  explicit Opening(const Dir& dir) : dir_(dir), path_(printable(dir.path_of(kJournalName))) {}

  Result<Fd> run(const RunLock& lock, const JournalVisitor& visit, JournalReport& report) {
    auto fd = dir_.open_update(kJournalName);
    if (!fd) return fd;
    // If the file is locked, an earlier host has it open. That host lost the run while it was
    // stopped, but could still write. In this case continue in a copy, which replaces the file.
    const int locked = flock_now(fd->get());
    if (locked != 0 && locked != EWOULDBLOCK) return failure(locked, "lock");
    if (auto owned = lock.check(); !owned) return owned.error();

    auto read = read_journal(fd->get(), path_, visit);
    if (!read) return read.error();
    report = std::move(*read);
    if (report.damage) return damaged(*report.damage);
    if (report.generation > lock.generation()) return overtaken(report.generation, lock);
    if (report.torn_bytes > 0) {
      if (auto kept = keep_torn(fd->get(), report); !kept) return kept.error();
    }
    auto whole = locked == 0 ? repair(std::move(*fd), report) : copy(*fd, lock, report);
    if (!whole) return whole;
    if (::fcntl(whole->get(), F_SETFL, O_APPEND) != 0) return failure(errno, "open");
    return whole;
  }

 private:
  Error failure(int number, std::string_view doing) const {
    return Error::from_errno(number, doing, path_);
  }

  Error damaged(const JournalDamage& damage) const {
    const std::string line = std::to_string(damage.line), at = path_ + ":" + line;
    if (damage.other_format) {
      return {ErrorKind::kFailed, "the journal " + path_ + " cannot be read: " + damage.why,
              "nothing was changed; resume it with the version of moonlet that started it, or "
              "start a new run",
              at};
    }
    return {ErrorKind::kFailed,
            "the journal " + path_ + " is damaged: line " + line + ": " + damage.why,
            "nothing was changed; restore the file from a backup, or start a new run", at};
  }

  Error overtaken(std::uint64_t newest, const RunLock& lock) const {
    return {ErrorKind::kDenied,
            "the journal " + path_ + " was written in generation " + std::to_string(newest) +
                ", and this one is only generation " + std::to_string(lock.generation()),
            "the lock file was put back or copied from elsewhere; remove it and try again", path_};
  }

  Result<void> keep_torn(int fd, const JournalReport& report) const {
    constexpr int kMostTorn = 10'000;
    std::string bytes(report.torn_bytes, '\0');
    if (const int number = read_at(fd, report.whole_bytes, bytes); number != 0) {
      return failure(number, "read");
    }
    for (int i = 1; i <= kMostTorn; ++i) {
      const std::string name = std::string(kJournalName) + ".torn-" + std::to_string(i);
      if (!dir_.exists(name)) return dir_.write_file(name, bytes, Durable::kYes);
    }
    return {};
  }

  /// Removes an unfinished write from the end of the file, adds a missing newline, and syncs.
  Result<Fd> repair(Fd fd, JournalReport& report) const {
    const auto whole = static_cast<off_t>(report.whole_bytes);
    if (report.torn_bytes > 0 && ::ftruncate(fd.get(), whole) != 0) return failure(errno, "repair");
    if (auto ended = end_line(fd.get(), report); !ended) return ended.error();
    if (sync_bytes(fd.get()) != 0) return failure(errno, "flush to the disk");
    if (auto synced = dir_.sync_dir(); !synced) return synced.error();
    return fd;
  }

  Result<Fd> copy(const Fd& from, const RunLock& lock, JournalReport& report) const {
    // If this process is stopped before the rename, the next lock holder removes the file, and the
    // rename fails.
    const std::string name =
        ".tmp-" + std::string(kJournalName) + "-" + std::to_string(lock.generation());
    auto to = dir_.open_update(name);
    if (!to) return to;
    auto copied = copy_bytes(from.get(), to->get(), report);
    if (copied.ok()) copied = lock.check();
    if (copied.ok()) copied = dir_.rename(name, kJournalName);
    if (copied.ok()) copied = dir_.sync_dir();
    if (copied.ok()) return to;
    (void)dir_.remove_file(name);
    return copied.error();
  }

  Result<void> copy_bytes(int from, int to, JournalReport& report) const {
    if (const int number = flock_now(to); number != 0) return failure(number, "lock a copy of");
    if (::ftruncate(to, 0) != 0) return failure(errno, "copy");
    std::string part;
    for (std::uint64_t at = 0; at < report.whole_bytes; at += part.size()) {
      part.resize(std::min<std::uint64_t>(std::size_t{1} << 20, report.whole_bytes - at));
      int number = read_at(from, at, part);
      if (number == 0 && part.empty()) number = EIO;
      if (number == 0) number = write_all(to, part);
      if (number != 0) return failure(number, "copy");
    }
    if (auto ended = end_line(to, report); !ended) return ended;
    if (sync_bytes(to) != 0) return failure(errno, "flush to the disk");
    return {};
  }

  // Adds the newline that a kill has cut off from the last line.
  Result<void> end_line(int fd, JournalReport& report) const {
    if (!report.lacks_newline) return {};
    if (::lseek(fd, static_cast<off_t>(report.whole_bytes), SEEK_SET) < 0) {
      return failure(errno, "repair");
    }
    if (const int number = write_all(fd, "\n"); number != 0) return failure(number, "repair");
    ++report.whole_bytes;
    report.lacks_newline = false;
    return {};
  }

  const Dir& dir_;
  std::string path_;
};

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(const Dir& run_dir, const RunLock& lock, Loop& loop,
                                               const JournalVisitor& visit) {
  auto dir = run_dir.dir(".");
  if (!dir) return dir.error();
  std::unique_ptr<Journal> journal(new Journal(loop, printable(dir->path_of(kJournalName))));
  auto fd = Opening(*dir).run(
      lock,
      [&](const JournalRecord& record) {
        journal->places_.push_back({record.offset, record.length});
        if (visit) visit(record);
      },
      journal->found_);
  if (!fd) return fd.error();
  const JournalReport& found = journal->found_;
  JournalFile file{std::move(*dir), std::move(*fd),    lock,
                   found.records,   found.whole_bytes, found.last_hash};
  Handles* handles = journal->handles_;
  journal->writer_ = std::make_unique<JournalWriter>(std::move(file),
                                                     [handles] { uv_async_send(&handles->done); });
  return journal;
}

}  // namespace moonlet
