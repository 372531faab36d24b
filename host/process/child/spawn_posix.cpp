#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <vector>

#include "host/process/child/program.h"
#include "host/process/child/spawn.h"

namespace moonlet {

namespace {

constexpr int kMostClosed = 4096;

class Preparation {
 public:
  explicit Preparation(const SpawnRequest& request) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    int count = static_cast<int>(request.fds.size());
    if (request.cwd != nullptr) posix_spawn_file_actions_addchdir_np(&actions_, request.cwd);
    for (int i = 0; i < count; ++i) {
      int fd = request.fds[static_cast<std::size_t>(i)];
      if (fd < count) {
        fd = fcntl(fd, F_DUPFD_CLOEXEC, count);
        if (fd >= 0) moved_.push_back(fd);
      }
      posix_spawn_file_actions_adddup2(&actions_, fd, i);
    }
#ifdef POSIX_SPAWN_CLOEXEC_DEFAULT
    constexpr short kOthersClosed = POSIX_SPAWN_CLOEXEC_DEFAULT;
#else
    constexpr short kOthersClosed = 0;
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&actions_, count);
#endif
#endif
    sigset_t none, standard;
    sigemptyset(&none);
    sigemptyset(&standard);
    for (int signal = 1; signal < 32; ++signal) {
      if (signal == SIGKILL || signal == SIGSTOP) continue;
      if ((request.reset_signals >> (signal - 1) & 1) != 0) sigaddset(&standard, signal);
    }
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &standard);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                               POSIX_SPAWN_SETSID | kOthersClosed);
  }
  ~Preparation() {
    for (int fd : moved_) close(fd);
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<int> moved_;
};

int spawn_plain(const SpawnRequest& request, pid_t& pid) {
  Preparation preparation(request);
  return posix_spawn(&pid, request.path, preparation.actions(), preparation.attributes(),
                     request.argv, request.envp);
}

// Runs in the forked child until the exec, with async-signal-safe calls only.
// Returns the error that prevented the exec.
int become_program(const SpawnRequest& request, const std::vector<int>& fds) {
  if (setsid() < 0) return errno;
  if (request.cwd != nullptr && chdir(request.cwd) != 0) return errno;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    if (dup2(fds[i], static_cast<int>(i)) < 0) return errno;
  }
  if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) return errno;
  for (int fd = static_cast<int>(fds.size()); fd < kMostClosed; ++fd)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  for (int signal = 1; signal < 32; ++signal) {
    if ((request.reset_signals >> (signal - 1) & 1) != 0) ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(request.path, request.argv, request.envp);
  return errno;
}

// posix_spawn cannot set a session's terminal, so fork. Returns 0 or an errno.
// Only the keeper forks here, which is small and single-threaded.
int fork_on_terminal(const SpawnRequest& request, pid_t& pid) {
  const int count = static_cast<int>(request.fds.size());
  int ends[2];
  if (pipe(ends) != 0) return errno;
  std::vector<int> moved, fds;
  const auto above = [&](int fd) {
    moved.push_back(fcntl(fd, F_DUPFD_CLOEXEC, count));
    return moved.back();
  };
  const int report = above(ends[1]);
  for (const int fd : request.fds) fds.push_back(fd < count ? above(fd) : fd);
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  close(ends[1]);
  int failure = std::count(moved.begin(), moved.end(), -1) > 0 ? EMFILE : 0;
  if (failure == 0 && (pid = fork()) == 0) {
    const int number = become_program(request, fds);
    (void)!write(report, &number, sizeof number);
    _exit(127);
  }
  if (failure == 0 && pid < 0) failure = errno;
  for (const int fd : moved) close(fd);
  ssize_t got = 0;
  // The pipe closes at the exec, or delivers the errno of a failed exec.
  while (failure == 0 && (got = read(ends[0], &failure, sizeof failure)) < 0 && errno == EINTR) {
  }
  close(ends[0]);
  if (got > 0) waitpid(pid, nullptr, 0);
  return failure;
}

}  // namespace

bool make_output_pipe(int& read_end, int& write_end) {
  int ends[2];
  if (pipe(ends) != 0) return false;
  for (int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  read_end = ends[0];
  write_end = ends[1];
  return true;
}

Result<Spawned> spawn(const SpawnRequest& request) {
  if (request.ruleset_fd >= 0 || request.no_sockets || !request.read_only.empty()) {
    return Error{ErrorKind::kDenied, "a process cannot be confined on this system"};
  }
  // posix_spawn reports only an errno. Check the likely causes to give a better message.
  struct stat st {};
  if (request.cwd != nullptr && stat(request.cwd, &st) != 0) return cwd_error(errno, request.cwd);
  pid_t pid = 0;
  const int number =
      request.on_terminal ? fork_on_terminal(request, pid) : spawn_plain(request, pid);
  if (number != 0) return exec_error(number, request.path);
  Spawned spawned{pid};
  if (request.record.fd < 0) return spawned;
  std::string line(request.record.prefix);
  line += std::to_string(pid);
  line += request.record.suffix;
  ssize_t written;
  int tries = 50;
  do {
    written = write(request.record.fd, line.data(), line.size());
    if (written < 0 && errno == EAGAIN && tries-- > 0) {
      poll(nullptr, 0, 1);
      errno = EINTR;
    }
  } while (written < 0 && errno == EINTR);
  spawned.recorded = written == static_cast<ssize_t>(line.size());
  if (!spawned.recorded && request.record.required) {
    Error error = Error::from_errno(written < 0 ? errno : ENOSPC, "record the start in keeper.log");
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return error;
  }
  return spawned;
}

}  // namespace moonlet
