#include "host/process/session/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace moonlet {

namespace {

constexpr std::uint64_t kSmallestPiece = 4096;
constexpr std::size_t kPieces = 8;
// Bytes that come within this time share a note: a replay shows them at once.
constexpr std::int64_t kNoteMs = 10;

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
  most_pieces_ = kPieces;
  return open_piece();
}

// The new piece begins with the present size: what came before it may be gone.
Result<void> SessionLog::open_piece() {
  const auto make = [&](std::string_view ending, Fd& fd) {
    const std::string name = piece_name(end_, ending);
    fd = Fd(openat(dir_fd_, name.c_str(),
                   O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    return fd ? Result<void>() : Error::from_errno(errno, "make", name);
  };
  Fd piece, times;
  if (auto made = make("log", piece); !made) return made;
  if (auto made = make("times", times); !made) return made;
  piece_ = std::move(piece);
  times_ = std::move(times);
  pieces_.push_back(end_);
  while (pieces_.size() > most_pieces_) {
    for (const char* ending : {"log", "times"}) {
      unlinkat(dir_fd_, piece_name(pieces_.front(), ending).c_str(), 0);
    }
    pieces_.pop_front();
  }
  resized(size_, noted_ms_);
  return {};
}

void SessionLog::append(std::string_view bytes, std::int64_t now_ms) {
  if (now_ms - noted_ms_ >= kNoteMs) note(noted_ms_);
  while (!bytes.empty()) {
    if (end_ - pieces_.back() >= piece_size_) {
      note(now_ms);
      // Without a new piece the present one grows: a cap is worth less than the bytes.
      if (auto opened = open_piece(); !opened && write_errno_ == 0) write_errno_ = EIO;
    }
    const std::uint64_t used = end_ - pieces_.back();
    const std::uint64_t room = used < piece_size_ ? piece_size_ - used : bytes.size();
    const auto part = bytes.substr(0, room);
    const ssize_t written = write(piece_.get(), part.data(), part.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      if (write_errno_ == 0) write_errno_ = written < 0 ? errno : ENOSPC;
      break;
    }
    end_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  noted_ms_ = now_ms;
}

void SessionLog::note(std::int64_t now_ms) {
  if (noted_ == end_) return;
  noted_ = end_;
  char line[64];
  const int size =
      std::snprintf(line, sizeof line, "%lld %llu\n", static_cast<long long>(now_ms - started_ms_),
                    static_cast<unsigned long long>(end_));
  (void)!write(times_.get(), line, static_cast<std::size_t>(size));
}

void SessionLog::resized(ScreenSize size, std::int64_t now_ms) {
  note(noted_ms_);
  size_ = size;
  char line[64];
  const int length =
      std::snprintf(line, sizeof line, "%lld %dx%d\n", static_cast<long long>(now_ms - started_ms_),
                    size.cols, size.rows);
  (void)!write(times_.get(), line, static_cast<std::size_t>(length));
}

void SessionLog::finish(std::int64_t now_ms) {
  note(now_ms);
  piece_.close();
  times_.close();
}

}  // namespace moonlet
