#include "host/process/remote/attempt.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "host/base/clock.h"
#include "host/process/child/tree.h"
#include "host/process/client/requests.h"
#include "host/process/client/sweep.h"
#include "host/process/wire/exit_file.h"

namespace moonlet {

namespace {

constexpr const char* kClaim = "claim";
constexpr const char* kRevoked = "revoked";
constexpr const char* kBeat = "beat";
constexpr std::int64_t kEndLimitMs = 10000;
constexpr int kEndPauseMs = 20;
constexpr std::uint64_t kExitLimit = 1 << 20;

bool is_nonce(std::string_view text) {
  return text.size() >= 8 && text.size() <= 64 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string_view::npos;
}

Error bad_name(const std::string& name) {
  return {ErrorKind::kInvalid, "the file '" + name + "' would lie outside of its attempt",
          "name a relative path without ..", name};
}

/// Returns true for a relative path that has no part "." or "..". It may end with a slash. Does not
/// check whether a part is a symbolic link.
bool stays_inside(const std::filesystem::path& name) {
  return !name.empty() && name.is_relative() &&
         std::none_of(name.begin(), name.end(), [](const std::filesystem::path& part) {
           return part == "." || part == "..";
         });
}

std::optional<std::int64_t> changed_ms(int dir_fd, const char* name) {
  struct stat info;
  if (fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1000 + info.st_mtim.tv_nsec / 1'000'000;
}

Error cancelled() { return {ErrorKind::kCancelled, "it was cancelled before it was started"}; }

}  // namespace

Result<RemoteAttempt> RemoteAttempt::open(const std::string& root, const std::string& nonce) {
  if (!is_nonce(nonce)) {
    return Error{ErrorKind::kInvalid, "'" + nonce + "' names no attempt", {}, nonce};
  }
  const std::string path = root + "/attempts/" + nonce;
  Fd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) return Error::from_errno(errno, "open", path);
  return RemoteAttempt(std::move(dir), nonce, path);
}

Result<RemoteAttempt> RemoteAttempt::make(const std::string& root, const std::string& nonce) {
  if (!is_nonce(nonce)) return open(root, nonce);
  for (const std::string& path : {root, root + "/attempts", root + "/attempts/" + nonce}) {
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return Error::from_errno(errno, "make", path);
    }
  }
  return open(root, nonce);
}

Result<bool> RemoteAttempt::claim() {
  Fd file(openat(fd(), kClaim, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file && errno == EEXIST) return false;
  if (!file) return Error::from_errno(errno, "claim", path_);
  fsync(file.get());
  fsync(fd());
  return true;
}

bool RemoteAttempt::is_claimed() const { return changed_ms(fd(), kClaim).has_value(); }
bool RemoteAttempt::is_revoked() const { return changed_ms(fd(), kRevoked).has_value(); }
bool RemoteAttempt::has_job() const { return changed_ms(fd(), kMapFileName).has_value(); }

void RemoteAttempt::beat() {
  const Fd file(openat(fd(), kBeat, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file) futimens(file.get(), nullptr);
}

std::int64_t RemoteAttempt::last_beat() const { return changed_ms(fd(), kBeat).value_or(0); }

std::optional<std::int64_t> RemoteAttempt::queued_ms() const {
  const auto from = changed_ms(fd(), kMapFileName), to = changed_ms(fd(), kClaim);
  if (!from || !to) return std::nullopt;
  return std::max<std::int64_t>(*to - *from, 0);
}

std::string RemoteAttempt::read(const char* name, std::uint64_t from, std::uint64_t most) const {
  const Fd file(openat(fd(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info;
  if (!file || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (from >= size || lseek(file.get(), static_cast<off_t>(from), SEEK_SET) < 0) return {};
  std::string bytes(std::min(most, size - from), 0);
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const long got = read_some(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

std::string RemoteAttempt::exit_text() const { return read(kExitFileName, 0, kExitLimit); }

Result<void> RemoteAttempt::publish_not_started(Error why) {
  ChildExit never;
  never.error = std::move(why);
  return write_exit_file(fd(), never, SystemClock().wall_ms());
}

RemoteAttempt::State RemoteAttempt::state(bool here) {
  if (!exit_text().empty()) return State::kEnded;
  if (!is_claimed()) return State::kNone;
  if (!here) return State::kClaimed;
  if (keeper_is_alive(fd())) return State::kRunning;
  // Check again, because the keeper may have published the end since the first check.
  if (!exit_text().empty()) return State::kEnded;
  if (auto swept = sweep(fd(), 0); !swept) return State::kClaimed;
  (void)publish_logged_exit(fd(), SystemClock().wall_ms());
  return exit_text().empty() ? State::kGone : State::kEnded;
}

Result<void> RemoteAttempt::end() {
  if (auto first = claim(); !first) return first.error();
  const std::int64_t give_up = boot_clock_ms() + kEndLimitMs;
  while (keeper_is_alive(fd()) && boot_clock_ms() < give_up) {
    (void)keeper_shutdown(fd());
    poll(nullptr, 0, kEndPauseMs);
  }
  auto swept = sweep(fd(), 0);
  if (!swept) return swept.error();
  if (exit_text().empty() && !publish_logged_exit(fd(), SystemClock().wall_ms())) {
    return publish_not_started(cancelled());
  }
  return {};
}

Result<void> RemoteAttempt::fence() {
  auto first = claim();
  if (!first) return first.error();
  return *first ? publish_not_started(cancelled()) : Result<void>();
}

Result<bool> RemoteAttempt::revoke() {
  Fd file(openat(fd(), kRevoked, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return Error::from_errno(errno, "revoke", path_);
  auto first = claim();
  if (!first || !*first) return first;
  if (auto written = publish_not_started(cancelled()); !written) return written.error();
  return true;
}

Result<void> RemoteAttempt::make_folders(const std::string& name) {
  if (!stays_inside(name)) return bad_name(name);
  for (std::size_t at = name.find('/');; at = name.find('/', at + 1)) {
    const std::string part = name.substr(0, at);
    if (mkdirat(fd(), part.c_str(), 0700) != 0 && errno != EEXIST) {
      return Error::from_errno(errno, "make", path_ + "/" + part);
    }
    if (at == std::string::npos) return {};
  }
}

Result<void> RemoteAttempt::write(const std::string& name, std::string_view text) {
  if (!stays_inside(name)) return bad_name(name);
  if (const auto slash = name.rfind('/'); slash != std::string::npos) {
    if (auto made = make_folders(name.substr(0, slash)); !made) return made;
  }
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  Fd file(openat(fd(), name.c_str(), flags, 0600));
  if (!file) return Error::from_errno(errno, "make", path_ + "/" + name);
  int failure = write_all(file.get(), text);
  if (const int closed = file.close(); failure == 0) failure = closed;
  if (failure != 0) return Error::from_errno(failure, "write", path_ + "/" + name);
  return {};
}

std::string_view to_string(RemoteAttempt::State state) {
  static constexpr std::string_view kNames[] = {"none", "claimed", "running", "ended", "gone"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace moonlet
