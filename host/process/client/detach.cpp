#include "host/process/client/detach.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "host/base/clock.h"
#include "host/base/fd.h"
#include "host/process/child/spawn.h"

namespace moonlet {

namespace {

constexpr std::int64_t kLookMs = 100;  // interval between two checks of `stop`

std::int64_t now_ms() { return system_clock().monotonic_ms(); }

Error no_answer(ErrorKind kind, const std::string& why, pid_t pid) {
  return Error{kind,
               "process " + std::to_string(pid) + " " + why,
               "it was asked to end; its messages are above",
               {}};
}

Result<std::string> read_answer(int reader, const DetachRequest& request, pid_t pid) {
  const std::int64_t deadline = now_ms() + request.patience_ms;
  std::string answer;
  for (;;) {
    if (request.stop != nullptr && request.stop->load()) {
      return no_answer(ErrorKind::kCancelled, "was given up before it answered", pid);
    }
    const std::int64_t left = deadline - now_ms();
    if (left <= 0) {
      return no_answer(ErrorKind::kTimeout,
                       "did not answer within " + std::to_string(request.patience_ms) + " ms", pid);
    }
    pollfd ready{reader, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(std::min(left, kLookMs))) <= 0) continue;
    char chunk[512];
    const long got = read_some(reader, chunk, sizeof chunk);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) return answer;
    const std::string_view part(chunk, static_cast<std::size_t>(got));
    const auto end = part.find('\n');
    answer += part.substr(0, end);
    if (answer.size() > request.longest) {
      return no_answer(ErrorKind::kLimit,
                       "answered with more than " + std::to_string(request.longest) + " bytes",
                       pid);
    }
    if (end != std::string_view::npos) return answer;
  }
}

}  // namespace

Result<std::string> start_detached(DetachRequest request) {
  int ends[2];
  if (!make_output_pipe(ends[0], ends[1])) return Error::from_errno(errno, "make a pipe");
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return Error::from_errno(errno, "open", "/dev/null");
  const std::vector<char*> argv = pointers(request.argv), env = pointers(request.environment);
  SpawnRequest child;
  child.path = request.argv[0].c_str();
  child.argv = argv.data();
  child.envp = env.data();
  child.fds = {null.get(), writer.get(), STDERR_FILENO};
  auto started = spawn(child);
  if (!started) return started.error();
  writer.close();  // now only the child holds the writing end of the pipe
  const pid_t pid = started->pid;
  auto answer = read_answer(reader.get(), request, pid);
  if (!answer) ::kill(pid, SIGTERM);
  return answer;
}

}  // namespace moonlet
