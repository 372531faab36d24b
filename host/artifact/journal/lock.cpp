#include "host/artifact/journal/lock.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>
#include <variant>

#include "host/artifact/file/dir_open.h"
#include "host/artifact/journal/holder.h"
#include "host/artifact/journal/read.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr const char* kLock = "lock";
// A process locks this file first, so that only one process at a time acquires the run's lock.
// rename() then makes it the lock file with its flock. A killed process leaves nothing locked.
constexpr const char* kNext = "lock.next";

// The lock file stores its holder as a line of fixed width. The line begins with "pid" if the
// holder drives the run, and with "now" if it holds the lock only briefly.
constexpr std::size_t kHolderSize = 97;
constexpr std::string_view kDriver = "pid", kPassing = "now";
constexpr const char* kNowhere = "----------------";

std::string holder_line(const Holder& holder) {
  char line[kHolderSize + 1];
  std::snprintf(line, sizeof line, "%s %011lld generation %020llu born %020llu place %.16s\n",
                holder.passing ? kPassing.data() : kDriver.data(),
                static_cast<long long>(holder.pid),
                static_cast<unsigned long long>(holder.generation),
                static_cast<unsigned long long>(holder.born),
                holder.place.empty() ? kNowhere : holder.place.c_str());
  return line;
}

// Reads the holder from the lock file. Returns no value for a damaged file, and generation 0 for
// an empty file.
std::optional<Holder> read_holder(int fd) {
  char line[kHolderSize + 1] = {};
  const ssize_t size = ::pread(fd, line, kHolderSize, 0);
  if (size == 0) return Holder{};
  long long pid = 0;
  unsigned long long generation = 0, born = 0;
  char word[4] = {}, place[17] = {};
  if (size < 0 || std::sscanf(line, "%3s %lld generation %llu born %llu place %16s", word, &pid,
                              &generation, &born, place) != 5) {
    return std::nullopt;
  }
  Holder holder{pid, born, place == std::string_view(kNowhere) ? "" : place, generation,
                word == kPassing};
  if (holder_line(holder) != std::string_view(line, static_cast<std::size_t>(size))) {
    return std::nullopt;
  }
  return holder;
}

struct FileId {
  std::uint64_t device = 0, inode = 0;
  bool operator==(const FileId& other) const {
    return device == other.device && inode == other.inode;
  }
};

FileId id_of(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return {};
  return {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino)};
}

bool is_named(const Dir& dir, const char* name, int fd) {
  const auto info = dir.stat(name);
  return info.ok() && FileId{info->device, info->inode} == id_of(fd);
}

Error failure(const Dir& dir, int number, std::string_view doing) {
  return Error::from_errno(number, doing, printable(dir.path_of(kLock)));
}

std::string name_of(const std::optional<Holder>& holder) {
  if (!holder || holder->pid == 0) return "another process";
  return "process " + std::to_string(holder->pid);
}

Error refusal(const Dir& dir, std::string_view id, const std::optional<Holder>& holder,
              HolderState state) {
  const std::string run(id);
  Error error;
  error.at = printable(dir.path_of(kLock));
  error.message = "run " + run + " is being driven by " + name_of(holder) + " already";
  const std::string pid = holder ? std::to_string(holder->pid) : "";
  if (holder && holder->passing) {
    error.message = name_of(holder) + " is looking after run " + run;
  }
  switch (state) {
    case HolderState::kRuns:
      if (holder && holder->passing) {
        error.hint = "try again in a moment";
        break;
      }
      error.hint =
          "wait for it (`moonlet wait " + run + "`) or end it (`moonlet cancel " + run + "`)";
      break;
    case HolderState::kEnding:
      error.message += ", which was killed and is not gone yet";
      error.hint = "try again in a moment";
      break;
    case HolderState::kStopped:
      error.message += ", which is stopped";
      error.hint = "let it continue (`kill -CONT " + pid + "`) or end it (`kill -9 " + pid + "`)";
      break;
    case HolderState::kGone:
      error.message += ", which has ended, but a process that it started holds the lock";
      error.hint = "end what it left (`moonlet ps` shows it)";
      break;
    case HolderState::kElsewhere:
      error.message += ", in another container or on another machine";
      error.hint = "wait for it, or end it there";
      break;
  }
  return error;
}

// The time to wait for a lock depends on what its holder does.
constexpr std::int64_t kTakerMs = 1500;    // another process is acquiring the run's lock
constexpr std::int64_t kPassingMs = 2000;  // the holder ends the run's orphans or amends the run
constexpr std::int64_t kEndingMs = 5000;   // the holder was killed and is exiting
constexpr std::int64_t kLookMs = 30;       // RunLock::holder() locks the file for a moment

LockTry refused(Error error, std::int64_t patience_ms = 0) {
  return {std::move(error), patience_ms};
}

Error taker_error(const Dir& dir, std::string_view id, int fd) {
  return {ErrorKind::kFailed,
          name_of(read_holder(fd)) + " is about to take the run " + std::string(id) +
              ", but makes no progress",
          "check whether it is stopped; end it and try again", printable(dir.path_of(kNext))};
}

int rewrite(int fd, std::string_view line) {
  if (::ftruncate(fd, 0) != 0 || ::lseek(fd, 0, SEEK_SET) != 0) return errno;
  if (const int number = write_all(fd, line); number != 0) return number;
  return sync_bytes(fd) != 0 ? errno : 0;
}

std::int64_t patience_with(const Holder& holder, HolderState state) {
  if (state == HolderState::kEnding) return kEndingMs;
  return holder.passing && state == HolderState::kRuns ? kPassingMs : kLookMs;
}

// Returns the generation for a new holder, or an error if the lock cannot be acquired.
std::variant<std::uint64_t, LockTry> next_generation(const Dir& dir, std::string_view id,
                                                     TakeOver take_over, const Fd& current) {
  const int locked = flock_now(current.get());
  if (locked != 0 && locked != EWOULDBLOCK) return refused(failure(dir, locked, "lock"));
  const auto holder = read_holder(current.get());
  if (!holder) {
    // Do not restart at generation 1: a living keeper would obey two hosts.
    const std::string at = printable(dir.path_of(kLock));
    return refused(
        {ErrorKind::kFailed, "the lock file of run " + std::string(id) + " is damaged: " + at,
         "make sure that `moonlet ps` shows nothing of this run, then remove the file", at});
  }
  if (locked == EWOULDBLOCK) {
    const HolderState state = state_of(*holder);
    const bool idle = state == HolderState::kStopped || state == HolderState::kGone;
    if (take_over == TakeOver::kNo || !idle) {
      return refused(refusal(dir, id, holder, state), patience_with(*holder, state));
    }
  }
  if (holder->generation != 0) return holder->generation + 1;
  // If the lock file is missing, the journal still has the newest generation.
  auto newest = newest_generation(dir);
  if (!newest) return refused(newest.error());
  return *newest + 1;
}

}  // namespace

LockTry RunLock::try_take(const Dir& run_dir, std::string_view id, TakeOver take_over, Hold hold) {
  auto dir = run_dir.dir(".");
  if (!dir) return refused(dir.error());
  auto next = dir->open_update(kNext);
  if (!next) return refused(next.error());
  const int locked = flock_now(next->get());
  if (locked == EWOULDBLOCK) return refused(taker_error(*dir, id, next->get()), kTakerMs);
  if (locked != 0) return refused(failure(*dir, locked, "lock"));
  // Another process may have renamed or removed the file before this flock.
  if (!is_named(*dir, kNext, next->get())) return refused(taker_error(*dir, id, -1), kTakerMs);
  const auto give_up = [&](LockTry why) {
    (void)dir->remove_file(kNext);
    return why;
  };

  auto current = dir->open_update(kLock);
  if (!current) return give_up(refused(current.error()));
  auto generation = next_generation(*dir, id, take_over, *current);
  if (auto* why = std::get_if<LockTry>(&generation)) return give_up(std::move(*why));

  Holder self = this_process();
  self.generation = std::get<std::uint64_t>(generation);
  self.passing = hold == Hold::kPass;
  if (const int number = rewrite(next->get(), holder_line(self)); number != 0) {
    return give_up(refused(failure(*dir, number, "write")));
  }
  if (auto renamed = dir->rename(kNext, kLock); !renamed) return give_up(refused(renamed.error()));
  if (auto synced = dir->sync_dir(); !synced) return refused(synced.error());
  const FileId file = id_of(next->get());
  dir->sweep_temporaries();
  return {
      RunLock(std::make_shared<const Held>(Held{std::move(*dir), std::move(*next), std::string(id),
                                                self.generation, file.device, file.inode}))};
}

LockWait::LockWait(Loop& loop, const Dir& run_dir, std::string_view id, TakeOver take_over,
                   Hold hold)
    : loop_(loop),
      run_dir_(run_dir.dir(".")),
      id_(id),
      take_over_(take_over),
      hold_(hold),
      began_ms_(loop.clock().monotonic_ms()) {
  if (run_dir_) {
    try_now();
  } else {
    finish(run_dir_.error());
  }
}

LockWait::~LockWait() {
  if (retry_) loop_.cancel(*retry_);
}

void LockWait::try_now() {
  retry_.reset();
  auto tried = RunLock::try_take(*run_dir_, id_, take_over_, hold_);
  const std::int64_t waited_ms = loop_.clock().monotonic_ms() - began_ms_;
  if (tried.lock || waited_ms >= tried.patience_ms) return finish(std::move(tried.lock));
  // Jitter by pid keeps waiting processes from retrying simultaneously.
  retry_ = loop_.after(1 + ::getpid() % 7, [this] { try_now(); });
}

void LockWait::finish(Result<RunLock> lock) {
  lock_ = std::move(lock);
  complete();
}

void LockWait::start_cancel() {
  if (retry_) loop_.cancel(*retry_);
  retry_.reset();
  finish(Error{ErrorKind::kCancelled,
               "run " + id_ + " was not taken: the wait for its lock was cancelled",
               {},
               {}});
}

std::int64_t RunLock::holder(const Dir& run_dir) {
  auto fd = run_dir.open_read(kLock);
  if (!fd) return 0;
  // This shared lock ends at the return, so it delays other processes only for a moment.
  if (::flock(fd->get(), LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return 0;
  const auto holder = read_holder(fd->get());
  return holder && holder->pid != 0 ? holder->pid : 1;
}

Result<void> RunLock::check() const {
  const Held& held = *held_;
  const auto info = held.dir.stat(kLock);
  if (info.ok() && info->device == held.device && info->inode == held.inode) return {};
  if (!info && info.error().kind != ErrorKind::kInvalid) return info.error();
  const std::string at = printable(held.dir.path_of(kLock));
  if (!info) {
    struct stat folder {};
    if (::fstat(held.dir.fd(), &folder) == 0 && folder.st_nlink == 0) {
      const std::string path = printable(held.dir.path());
      return Error{ErrorKind::kDenied,
                   "the folder of run " + held.id + " has been removed: " + path,
                   "nothing of it is on record any more; start the run again", path};
    }
    return Error{ErrorKind::kDenied, "the lock file of run " + held.id + " has been removed: " + at,
                 "nothing more is written; resume the run (`moonlet resume " + held.id + "`)", at};
  }
  std::optional<Holder> holder;
  if (auto fd = held.dir.open_read(kLock)) holder = read_holder(fd->get());
  const std::string pid =
      holder && holder->pid != 0 ? " (pid " + std::to_string(holder->pid) + ")" : "";
  return Error{ErrorKind::kDenied, "another moonlet" + pid + " has taken over run " + held.id,
               "this one was stopped meanwhile; see the run with `moonlet show " + held.id + "`",
               at};
}

}  // namespace moonlet
