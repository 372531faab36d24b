#include "host/telemetry/line_writer.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace moonlet {

namespace {

// Suppresses SIGPIPE on this thread during a write, without changing the process's handler.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigset_t pending;
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutSigpipe() {
    const int number = errno;
    sigset_t pending;
    sigpending(&pending);
    if (!was_pending_ && sigismember(&pending, SIGPIPE) == 1) {
      int signal_number;
      sigwait(&pipe_, &signal_number);
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = number;
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_;
};

bool is_retry(int number) { return number == EINTR || number == EAGAIN || number == EWOULDBLOCK; }

}  // namespace

LineWriter::LineWriter(int fd, std::string name, std::size_t queue_cap)
    : fd_(fd), name_(std::move(name)), queue_cap_(queue_cap) {
  struct stat info;
  if (::fstat(fd, &info) == 0) {
    regular_ = S_ISREG(info.st_mode);
    socket_ = S_ISSOCK(info.st_mode);
  }
}

bool LineWriter::write(std::string_view line) {
  // Accept a line that is larger than the queue if the queue is empty.
  const auto has_room = [&] {
    return queue_.empty() || queue_.size() + line.size() + 1 <= queue_cap_;
  };
  if (!has_room()) pump();
  if (failed_ || !has_room()) {
    ++dropped_;
    return false;
  }
  queue_.append(line).append("\n");
  pump();
  return !failed_;
}

bool LineWriter::ready(int timeout_ms) const {
  pollfd poll_fd{fd_, POLLOUT, 0};
  // poll() also returns if the descriptor has an error, which the next write then reports.
  return ::poll(&poll_fd, 1, timeout_ms) > 0;
}

void LineWriter::fail(int number) {
  failed_ = true;
  failure_ = Error::from_errno(number, "write events to", name_);
  queue_.clear();
}

// Writes the queue to a regular file. If a write fails, removes the partly written line, so that
// readers see only whole lines.
void LineWriter::write_file() {
  std::size_t done = 0;
  while (done < queue_.size()) {
    const ssize_t wrote = ::write(fd_, queue_.data() + done, queue_.size() - done);
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (wrote == 0 || !is_retry(errno)) {
      const int number = wrote == 0 ? EIO : errno;
      const off_t end = ::lseek(fd_, 0, SEEK_CUR);
      const std::size_t last = queue_.rfind('\n', done == 0 ? 0 : done - 1);
      const std::size_t whole = done == 0 || last == std::string::npos ? 0 : last + 1;
      if (end >= 0 && done > whole) {
        const off_t keep = end - static_cast<off_t>(done - whole);
        if (::ftruncate(fd_, keep) == 0) ::lseek(fd_, keep, SEEK_SET);
      }
      return fail(number);
    }
  }
  queue_.clear();
}

void LineWriter::pump() {
  if (failed_ || queue_.empty()) return;
  if (regular_) return write_file();
  const WithoutSigpipe guard;
  std::size_t done = 0;
  while (done < queue_.size() && ready(0)) {
    // If poll() reports a pipe as writable, only PIPE_BUF bytes are sure to fit without blocking.
    // Writing to a terminal that was paused with ^S may still block once.
    const std::size_t size = std::min<std::size_t>(queue_.size() - done, PIPE_BUF);
    const ssize_t wrote = socket_ ? ::send(fd_, queue_.data() + done, size, MSG_DONTWAIT)
                                  : ::write(fd_, queue_.data() + done, size);
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (wrote < 0 && errno != EINTR) {
      if (is_retry(errno)) break;
      return fail(errno);
    }
  }
  queue_.erase(0, done);
}

void LineWriter::flush(int timeout_ms) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(timeout_ms);
  for (pump(); pending(); pump()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0 || (!ready(static_cast<int>(left.count())) && errno != EINTR)) return;
  }
}

std::optional<Error> LineWriter::take_failure() { return std::exchange(failure_, std::nullopt); }

}  // namespace moonlet
