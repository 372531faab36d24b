#include "host/process/client/query.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "host/base/clock.h"
#include "host/base/fd.h"
#include "host/process/child/program.h"
#include "host/process/child/spawn.h"

namespace moonlet {

namespace {

constexpr std::int64_t kLookMs = 50;  // the interval for checking `stop` and the process

const char* path_of(const std::vector<std::string>& environment) {
  for (const std::string& entry : environment) {
    if (entry.compare(0, 5, "PATH=") == 0) return entry.c_str() + 5;
  }
  return nullptr;
}

class Asked {
 public:
  Asked(const Query& query, pid_t pid, int reader) : query_(query), pid_(pid), reader_(reader) {
    deadline_ = system_clock().monotonic_ms() + query.patience_ms;
  }
  ~Asked() {
    if (pid_ == 0) return;
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  Result<QueryAnswer> answer() {
    QueryAnswer answer;
    for (bool is_open = true; is_open;) {
      auto wait = next_wait();
      if (!wait) return wait.error();
      pollfd ready{reader_, POLLIN, 0};
      if (::poll(&ready, 1, *wait) <= 0) continue;
      char chunk[4096];
      const long got = read_some(reader_, chunk, sizeof chunk);
      if (got < 0 && errno == EAGAIN) continue;
      is_open = got > 0;
      if (got > 0) answer.out.append(chunk, static_cast<std::size_t>(got));
      if (answer.out.size() >= query_.longest) return answer;
    }
    for (int status = 0;;) {
      const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == pid_ || (ended < 0 && errno != EINTR)) {
        pid_ = 0;
        if (ended > 0 && WIFEXITED(status)) answer.code = WEXITSTATUS(status);
        return answer;
      }
      auto wait = next_wait();
      if (!wait) return wait.error();
      ::poll(nullptr, 0, 1);
    }
  }

 private:
  Result<int> next_wait() const {
    const auto failure = [&](ErrorKind kind, const char* why) {
      return Error{kind, query_.argv[0] + " " + why, {}, {}};
    };
    if (query_.stop != nullptr && query_.stop->load()) {
      return failure(ErrorKind::kCancelled, "was ended before it answered");
    }
    const std::int64_t left = deadline_ - system_clock().monotonic_ms();
    if (left <= 0) return failure(ErrorKind::kTimeout, "did not answer in time");
    return static_cast<int>(std::min(left, kLookMs));
  }

  const Query& query_;
  pid_t pid_;
  int reader_;
  std::int64_t deadline_;
};

}  // namespace

Result<QueryAnswer> ask(Query query) {
  auto program = find_program(query.argv[0], path_of(query.environment), {});
  if (!program) return program.error();
  int ends[2];
  if (!make_output_pipe(ends[0], ends[1])) return Error::from_errno(errno, "make a pipe");
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return Error::from_errno(errno, "open", "/dev/null");
  const std::vector<char*> argv = pointers(query.argv), env = pointers(query.environment);
  SpawnRequest child;
  child.path = program->c_str();
  child.argv = argv.data();
  child.envp = env.data();
  child.fds = {null.get(), writer.get(), null.get()};
  child.die_with_parent = true;
  auto started = spawn(child);
  if (!started) return started.error();
  writer.close();
  return Asked(query, started->pid, reader.get()).answer();
}

}  // namespace moonlet
