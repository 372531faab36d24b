#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "host/process/child/program.h"
#include "host/process/child/spawn.h"

namespace moonlet {

namespace {

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
    sigset_t none, standard;
    sigemptyset(&none);
    sigemptyset(&standard);
    for (int signal = 1; signal < 32; ++signal) {
      if (signal == SIGKILL || signal == SIGSTOP) continue;
      if ((request.reset_signals >> (signal - 1) & 1) != 0) sigaddset(&standard, signal);
    }
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &standard);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
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

SpawnResult spawn(const SpawnRequest& request) {
  if (request.ruleset_fd >= 0 || request.no_sockets || !request.read_only.empty()) {
    return SpawnFailure{
        Error{ErrorKind::kDenied, "a process cannot be confined on this system", {}, {}}};
  }
  // posix_spawn reports one number for all that it did; what can be told apart is asked before.
  struct stat st {};
  if (request.cwd != nullptr && stat(request.cwd, &st) != 0) {
    Error error = Error::from_errno(errno, "enter the working directory", request.cwd);
    if (errno == ENOENT) {
      error.message = "the working directory " + std::string(request.cwd) + " does not exist";
    }
    return SpawnFailure{std::move(error)};
  }
  Preparation preparation(request);
  pid_t pid = 0;
  int number = posix_spawn(&pid, request.path, preparation.actions(), preparation.attributes(),
                           request.argv, request.envp);
  if (number != 0) return SpawnFailure{exec_error(number, request.path)};
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
  spawned.torn = written > 0 && !spawned.recorded;
  if (!spawned.recorded && request.record.required) {
    Error error = Error::from_errno(written < 0 ? errno : ENOSPC, "record the start in keeper.log");
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return SpawnFailure{std::move(error), pid, false, spawned.torn};
  }
  return spawned;
}

}  // namespace moonlet
