#include "host/process/child/capture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "host/artifact/file/dir_open.h"

namespace moonlet {

namespace {

constexpr std::uint64_t kTailLimit = 64 * 1024;
// While the disk is full, at most this many bytes of a stream are buffered in memory.
constexpr std::size_t kWaitingLimit = 256 * 1024;

std::string note_of(std::uint64_t bytes) {
  return "\n[moonlet: " + std::to_string(bytes) + " bytes cut here]\n";
}

// Writes all bytes at the offset `at`. Returns 0 or an errno.
int write_at(int fd, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
  return 0;
}

}  // namespace

std::uint64_t Capture::tail_of(std::uint64_t cap) { return std::min(cap / 2, kTailLimit); }

Result<void> Capture::open(int dir_fd, const OutputSpec& spec) {
  target_ = spec.target;
  cap_ = spec.cap != 0                            ? spec.cap
         : target_ == OutputSpec::Target::kInline ? OutputSpec::kDefaultInlineCap
                                                  : OutputSpec::kDefaultFileCap;
  if (target_ != OutputSpec::Target::kFile) return {};
  const bool leads_out = spec.path.empty() || spec.path[0] == '/' ||
                         spec.path.find('\0') != std::string::npos ||
                         ("/" + spec.path + "/").find("/../") != std::string::npos;
  if (leads_out) {
    return Error{ErrorKind::kInvalid, "an output file must be a path beneath the run's directory",
                 "name it relative and without '..'", spec.path};
  }
  // Check first that this is a regular file without other links, then truncate it.
  // O_NONBLOCK keeps open() from waiting for a FIFO.
  file_ = Fd(open_beneath(dir_fd, spec.path.c_str(), O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY, 0666,
                          Links::kNone));
  struct stat info {};
  if (!file_ || fstat(file_.get(), &info) != 0) {
    return Error::from_errno(errno, "write output to", spec.path);
  }
  if (!S_ISREG(info.st_mode) || info.st_nlink > 1) {
    return Error{
        ErrorKind::kDenied,
        "cannot write output to " + spec.path + ": " +
            (S_ISREG(info.st_mode) ? "the file has other hard links" : "it is not a regular file"),
        "remove it, or name another file", spec.path};
  }
  if (ftruncate(file_.get(), 0) != 0) return Error::from_errno(errno, "empty", spec.path);
  return {};
}

void Capture::redact(std::shared_ptr<const Redactor> redactor) {
  if (!redactor || redactor->empty()) return;
  redactor_ = std::move(redactor);
  stream_ = std::make_unique<StreamRedactor>(*redactor_);
}

void Capture::feed(std::string_view bytes) {
  total_ += bytes.size();
  if (!stream_) {
    keep(bytes);
    return;
  }
  settled_.clear();
  stream_->feed(bytes, settled_);
  keep(settled_);
}

void Capture::keep(std::string_view bytes) {
  // Store bytes within the cap immediately, so that they survive a kill -9.
  // Only later bytes go through the ring buffer.
  std::size_t room =
      static_cast<std::size_t>(std::min<std::uint64_t>(cap_ - std::min(cap_, seen_), bytes.size()));
  if (room > 0) store(bytes.substr(0, room));
  if (bytes.size() > room) {
    if (!tail_) start_tail();
    remember(bytes.substr(room));
  }
  seen_ += bytes.size();
}

void Capture::store(std::string_view bytes) {
  if (target_ == OutputSpec::Target::kInline) {
    text_ += bytes;
    stored_ += bytes.size();
    return;
  }
  if (write_errno_ != 0) return;
  if (!waiting_.empty()) write_waiting();
  if (waiting_.empty()) bytes.remove_prefix(write_some(bytes));
  const std::size_t room = std::min(kWaitingLimit - waiting_.size(), bytes.size());
  waiting_ += bytes.substr(0, room);
  if (bytes.size() > room) write_failed(trouble_);
}

// Writes bytes to the file until an error occurs. Returns the number of written bytes.
std::size_t Capture::write_some(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t written = write(file_.get(), bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      trouble_ = written < 0 ? errno : ENOSPC;
      break;
    }
    done += static_cast<std::size_t>(written);
  }
  stored_ += done;
  return done;
}

void Capture::write_waiting() { waiting_.erase(0, write_some(waiting_)); }

void Capture::settle_waiting(const MakeRoom& make_room) {
  if (waiting_.empty()) return;
  write_waiting();
  // Free disk space only if no output is lost yet, because incomplete output is useless.
  const bool whole = write_errno_ == 0 && (trouble_ == ENOSPC || trouble_ == EDQUOT);
  if (!waiting_.empty() && whole && make_room && make_room(waiting_.size())) write_waiting();
  if (!waiting_.empty()) write_failed(trouble_);
  waiting_.clear();
}

void Capture::write_failed(int number) {
  if (write_errno_ == 0) write_errno_ = number;
}

void Capture::start_tail() {
  tail_size_ = tail_of(cap_);
  tail_ = std::make_unique<char[]>(std::max<std::uint64_t>(tail_size_, 1));
  if (write_errno_ != 0) return;
  // The stream may end soon, so put the last stored bytes into the ring buffer first.
  std::string last(tail_size_, '\0');
  if (target_ == OutputSpec::Target::kInline) {
    last = text_.substr(text_.size() - tail_size_);
  } else {
    const std::uint64_t from = cap_ - tail_size_, in_file = std::max(stored_, from) - from;
    ssize_t got = pread(file_.get(), last.data(), in_file, static_cast<off_t>(from));
    last.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (!waiting_.empty()) last += waiting_.substr(std::max(stored_, from) - stored_);
  }
  remember(last);
}

void Capture::remember(std::string_view bytes) {
  if (tail_size_ == 0) return;
  if (bytes.size() > tail_size_) bytes.remove_prefix(bytes.size() - tail_size_);
  while (!bytes.empty()) {
    std::size_t part = std::min<std::size_t>(bytes.size(), tail_size_ - tail_at_);
    std::memcpy(tail_.get() + tail_at_, bytes.data(), part);
    tail_at_ = (tail_at_ + part) % tail_size_;
    tail_used_ = std::min(tail_size_, tail_used_ + part);
    bytes.remove_prefix(part);
  }
}

std::string Capture::tail_text() const {
  if (tail_used_ < tail_size_) return std::string(tail_.get(), tail_used_);
  std::string text(tail_.get() + tail_at_, tail_size_ - tail_at_);
  text.append(tail_.get(), tail_at_);
  return text;
}

void Capture::replace_end() {
  const std::uint64_t head = cap_ - tail_size_;
  std::string end = note_of(seen_ - cap_) + tail_text();
  if (target_ == OutputSpec::Target::kInline) {
    text_.resize(static_cast<std::size_t>(head));
    text_ += end;
    return;
  }
  // If the tail cannot be written completely, keep only the head.
  if (write_errno_ != 0) return;
  if (int number = write_at(file_.get(), end, head); number != 0) {
    write_failed(number);
    stored_ = head;
    if (ftruncate(file_.get(), static_cast<off_t>(head)) != 0) stored_ = cap_;
  }
}

Captured Capture::finish(const MakeRoom& make_room) {
  if (stream_) {
    settled_.clear();
    stream_->finish(settled_);
    keep(settled_);
  }
  Captured captured;
  settle_waiting(make_room);
  if (tail_) replace_end();
  captured.total = total_;
  captured.cut = seen_ > cap_;
  if (file_) {
    if (int number = file_.close(); number != 0) write_failed(number);
  }
  captured.text = std::move(text_);
  captured.kept = stored_;
  captured.write_errno = write_errno_;
  tail_.reset();
  return captured;
}

}  // namespace moonlet
