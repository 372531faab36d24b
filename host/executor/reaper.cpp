#include "host/executor/reaper.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "host/executor/options.h"
#include "host/process/child/subreaper.h"
#include "host/process/child/tree.h"

namespace moonlet::executor {

namespace {

constexpr std::int64_t kEndMs = 30'000;
constexpr const char* kReaperName = "moonlet-reaper";

int stop_pipe[2] = {-1, -1};

void on_signal(int) {
  const char byte = 0;
  [[maybe_unused]] const auto written = ::write(stop_pipe[1], &byte, 1);
}

bool make_pipe(int (&ends)[2]) {
  if (::pipe(ends) != 0) return false;
  for (const int fd : ends) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return true;
}

/// Renames the reaper, so that `killall` or `pkill -f` by the executor's name ends only the worker.
void take_name(int argc, char** argv) {
  set_process_name(kReaperName);
  const std::size_t size = argv[argc - 1] + std::strlen(argv[argc - 1]) - argv[0];
  std::memset(argv[0], 0, size);
  std::memcpy(argv[0], kReaperName, std::min(size, std::strlen(kReaperName)));
}

void pass_on(pid_t worker, int signal) {
  if (signal != SIGTSTP) {
    ::kill(worker, signal);
    return;
  }
  ::kill(worker, SIGSTOP);
  ::kill(::getpid(), SIGSTOP);
  ::kill(worker, SIGCONT);
}

/// Forwards signals to the worker until it ends, ends its orphans, and exits with its status.
[[noreturn]] void reap(pid_t worker, const sigset_t& signals) {
  int status = 0;
  for (;;) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGCHLD) pass_on(worker, signal);
    // Do not use waitpid(-1). It would also reap orphans, which end_all_descendants() must find.
    if (::waitpid(worker, &status, WNOHANG) != 0) break;
  }
  end_all_descendants(kEndMs);
  if (!WIFSIGNALED(status)) std::_Exit(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  std::fprintf(stderr,
               "moonlet-executor: error: ended by signal %d\n  the same TASK-ID continues\n",
               signal);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
  ::raise(signal);
  std::_Exit(128 + signal);
}

}  // namespace

Worker begin_worker(int argc, char** argv) {
  int alive[2] = {-1, -1};
  sigset_t signals, before;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCHLD}) {
    sigaddset(&signals, signal);
  }
  sigprocmask(SIG_BLOCK, &signals, &before);
  become_subreaper();
  const pid_t reaper = ::getpid();
  const pid_t worker = make_pipe(alive) && make_pipe(stop_pipe) ? ::fork() : -1;
  if (worker < 0) {
    std::perror("moonlet-executor: error: cannot start a process");
    std::exit(1);
  }
  if (worker > 0) {
    ::close(alive[0]);
    take_key();
    take_name(argc, argv);
    reap(worker, signals);
  }
  ::close(alive[1]);
  ::setsid();
  become_subreaper();
  for (const int fd : stop_pipe) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  // The reaper holds the pipe's other end, so read() returns 0 when the reaper has ended.
  std::thread([fd = alive[0]] {
    char byte;
    while (::read(fd, &byte, 1) < 0 && errno == EINTR) {
    }
    on_signal(0);
  }).detach();
  return {stop_pipe[0], reaper};
}

}  // namespace moonlet::executor
