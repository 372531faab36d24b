#include "host/process/session/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace moonlet {

namespace {

constexpr std::uint64_t kSmallestPiece = 4096;
constexpr std::size_t kPieces = 8;
// Output within this time shares a single line in .times, so a replay prints it at once.
constexpr std::int64_t kNoteMs = 10;
// A note about lost bytes is shorter than this.
constexpr std::uint64_t kNoteSize = 256;

}  // namespace

std::string SessionLog::piece_name(std::uint64_t offset, std::string_view ending) {
  char name[64];
  std::snprintf(name, sizeof name, "output-%016llu.%.*s", static_cast<unsigned long long>(offset),
                static_cast<int>(ending.size()), ending.data());
  return name;
}

Result<void> SessionLog::open(int dir_fd, std::uint64_t cap, std::int64_t started_ms,
                              ScreenSize size) {
  dir_fd_ = dir_fd;
  started_ms_ = noted_ms_ = started_ms;
  size_ = size;
  cap = cap == 0 ? kDefaultCap : cap;
  piece_size_ = std::max(cap / kPieces, kSmallestPiece);
  return open_piece();
}

// A new piece begins with the screen size, because earlier pieces may be deleted.
Result<void> SessionLog::open_piece() {
  const auto make = [&](std::string_view ending, Fd& fd) {
    const std::string name = piece_name(end_, ending);
    fd = Fd(openat(dir_fd_, name.c_str(),
                   O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    return fd ? Result<void>() : Error::from_errno(errno, "make", name);
  };
  Fd piece, times;
  if (auto made = make("log", piece); !made) return made;
  if (auto made = make("times", times); !made) {
    unlinkat(dir_fd_, piece_name(end_, "log").c_str(), 0);
    return made;
  }
  piece_ = std::move(piece);
  times_ = std::move(times);
  times_torn_ = false;
  pieces_.push_back(end_);
  while (pieces_.size() > kPieces) {
    for (const char* ending : {"log", "times"}) {
      unlinkat(dir_fd_, piece_name(pieces_.front(), ending).c_str(), 0);
    }
    pieces_.pop_front();
  }
  resized(size_, noted_ms_);
  return {};
}

void SessionLog::next_piece() {
  note(noted_ms_);
  auto opened = open_piece();
  // If no new piece can be opened, the current piece grows beyond the cap, to lose no bytes.
  // If the folder was removed, drop the bytes, because no process can read them.
  if (opened || opened.error().kind != ErrorKind::kInvalid) return;
  if (ftruncate(piece_.get(), 0) == 0) pieces_.assign(1, end_);
}

void SessionLog::append(std::string_view bytes, std::int64_t now_ms) {
  if (now_ms - noted_ms_ >= kNoteMs) note(noted_ms_);
  noted_ms_ = now_ms;
  printed_ += bytes.size();
  if (waiting_.empty() && gap_ == 0) bytes.remove_prefix(write_some(bytes));
  if (bytes.empty()) return;
  wait(bytes);
  retry();
}

// Returns the number of stored bytes.
std::size_t SessionLog::write_some(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    if (end_ - pieces_.back() >= piece_size_) next_piece();
    const std::uint64_t used = end_ - pieces_.back();
    const std::uint64_t room = used < piece_size_ ? piece_size_ - used : bytes.size();
    const auto part = bytes.substr(done, room);
    const ssize_t written = write(piece_.get(), part.data(), part.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      write_errno_ = written < 0 ? errno : ENOSPC;
      break;
    }
    end_ += static_cast<std::uint64_t>(written);
    done += static_cast<std::size_t>(written);
  }
  return done;
}

// Adds bytes to those that wait in memory. If there are too many, drops the oldest. The rest begins
// at a line end if possible, so that no partial line looks complete.
void SessionLog::wait(std::string_view bytes) {
  waiting_ += bytes;
  if (waiting_.size() <= kMostWaiting) return;
  std::size_t cut = waiting_.size() - kMostWaiting;
  if (const auto newline = waiting_.find('\n', cut); newline != waiting_.npos) cut = newline;
  waiting_.erase(0, cut);
  gap_ += cut;
}

void SessionLog::retry() {
  if (waiting_.empty() && gap_ == 0) return;
  if (write_note()) waiting_.erase(0, write_some(waiting_));
}

// Writes a note about the lost bytes, completely or not at all.
bool SessionLog::write_note() {
  if (gap_ == 0) return true;
  const std::string text = "\r\n[moonlet: " + std::to_string(gap_) +
                           " bytes are missing here: " + std::strerror(write_errno_) + "]";
  ssize_t written;
  do {
    written = write(piece_.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(text.size())) {
    write_errno_ = written < 0 ? errno : ENOSPC;
    if (written > 0) (void)!ftruncate(piece_.get(), static_cast<off_t>(end_ - pieces_.back()));
    return false;
  }
  holes_.push_back({end_, gap_, write_errno_});
  end_ += text.size();
  lost_ += std::exchange(gap_, 0);
  return true;
}

void SessionLog::note(std::int64_t now_ms) {
  if (noted_ == end_) return;
  noted_ = end_;
  write_time(now_ms, std::to_string(end_));
}

// Appends a line to .times, on a new line if an earlier line was written only in part.
void SessionLog::write_time(std::int64_t now_ms, const std::string& what) {
  const std::string line = std::to_string(now_ms - started_ms_) + " " + what + "\n";
  if (times_torn_ && write(times_.get(), "\n", 1) != 1) return;
  times_torn_ = write(times_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size());
}

void SessionLog::resized(ScreenSize size, std::int64_t now_ms) {
  note(noted_ms_);
  size_ = size;
  write_time(now_ms, std::to_string(size.cols) + "x" + std::to_string(size.rows));
}

void SessionLog::finish(std::int64_t now_ms, const Capture::MakeRoom& make_room) {
  retry();
  const bool waits = !waiting_.empty() || gap_ > 0;
  if (waits && make_room && make_room(waiting_.size() + kNoteSize)) retry();
  gap_ += waiting_.size();
  waiting_.clear();
  if (gap_ > 0) {
    holes_.push_back({end_, gap_, write_errno_});
    lost_ += std::exchange(gap_, 0);
  }
  note(now_ms);
  piece_.close();
  times_.close();
}

}  // namespace moonlet
