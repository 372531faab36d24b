#include "host/process/client/hook.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "host/base/clock.h"
#include "host/base/fd.h"
#include "host/process/child/spawn.h"

namespace moonlet {

namespace {

constexpr int kLookMs = 20;

bool is_stopped(const HookRequest& request) { return request.stop != nullptr && *request.stop; }

// Waits for the end of `pid`, at most `limit_ms`. Returns true if it has ended.
bool await_end(pid_t pid, std::int64_t limit_ms, const HookRequest& request, int& status) {
  const Clock& clock = system_clock();
  const std::int64_t deadline = clock.monotonic_ms() + limit_ms;
  while (true) {
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    // waitpid() fails with ECHILD if the embedding program reaps every child.
    if (ended == pid || (ended < 0 && errno != EINTR)) return true;
    if (is_stopped(request) || clock.monotonic_ms() >= deadline) return false;
    poll(nullptr, 0, kLookMs);
  }
}

}  // namespace

Result<HookEnd> run_hook(HookRequest request) {
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return Error::from_errno(errno, "open", "/dev/null");
  const std::vector<char*> argv = pointers(request.argv), env = pointers(request.environment);
  SpawnRequest child;
  child.path = request.argv[0].c_str();
  child.argv = argv.data();
  child.envp = env.data();
  child.fds = {null.get(), null.get(), STDERR_FILENO};
  auto started = spawn(child);
  if (!started) return started.error();
  const pid_t pid = started->pid;

  HookEnd end;
  int status = 0;
  end.late = !await_end(pid, request.wall_ms, request, status);
  if (end.late) {
    kill(-pid, SIGTERM);
    kill(-pid, SIGCONT);
    const bool ended = await_end(pid, request.grace_ms, {}, status);
    kill(-pid, SIGKILL);
    if (!ended) (void)waitpid(pid, &status, 0);
  }
  if (WIFSIGNALED(status)) {
    end.signal = WTERMSIG(status);
  } else {
    end.code = WEXITSTATUS(status);
  }
  return end;
}

}  // namespace moonlet
