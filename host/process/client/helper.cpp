#include "host/process/client/helper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include "host/base/clock.h"
#include "host/base/fd.h"
#include "host/process/child/program.h"
#include "host/process/child/spawn.h"

extern char** environ;

namespace moonlet {

namespace {

constexpr std::int64_t kLookMs = 50;  // interval between two checks of `stop`
constexpr int kLongestPauseMs = 20;

std::int64_t now_ms() { return system_clock().monotonic_ms(); }

/// Returns why the caller must stop waiting; no value if it may continue.
std::optional<ErrorKind> given_up(const HelperCall& call, std::int64_t deadline) {
  if (call.stop != nullptr && call.stop->load()) return ErrorKind::kCancelled;
  if (now_ms() >= deadline) return ErrorKind::kTimeout;
  return std::nullopt;
}

/// Reads the first line, or all of the output. Stops early if the output is too long.
std::optional<ErrorKind> read_output(int reader, const HelperCall& call, std::int64_t deadline,
                                     bool first_line, std::string& out) {
  while (out.size() < call.longest && !(first_line && out.find('\n') != std::string::npos)) {
    if (auto why = given_up(call, deadline)) return why;
    pollfd ready{reader, POLLIN, 0};
    const std::int64_t left = std::max<std::int64_t>(deadline - now_ms(), 0);
    if (::poll(&ready, 1, static_cast<int>(std::min(left, kLookMs))) <= 0) continue;
    char chunk[4096];
    const long got = read_some(reader, chunk, sizeof chunk);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) break;
    out.append(chunk, static_cast<std::size_t>(got));
  }
  return std::nullopt;
}

std::optional<ErrorKind> await_end(pid_t pid, const HelperCall& call, std::int64_t deadline,
                                   int& status) {
  for (int pause = 1;; pause = std::min(2 * pause, kLongestPauseMs)) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    // waitpid() fails with ECHILD if the embedding program reaps every child.
    if (ended == pid || (ended < 0 && errno != EINTR)) return std::nullopt;
    if (auto why = given_up(call, deadline)) return why;
    ::poll(nullptr, 0, pause);
  }
}

const char* path_of(const std::vector<std::string>& environment) {
  for (const std::string& entry : environment) {
    if (entry.starts_with("PATH=")) return entry.c_str() + 5;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> own_environment() {
  std::vector<std::string> list;
  for (char** entry = environ; *entry != nullptr; ++entry) list.emplace_back(*entry);
  return list;
}

Result<pid_t> start_helper(HelperCall& call, int out, int err, bool die_with_parent) {
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return Error::from_errno(errno, "open", "/dev/null");
  const std::vector<char*> argv = pointers(call.argv), env = pointers(call.environment);
  SpawnRequest child;
  child.path = call.argv[0].c_str();
  child.argv = argv.data();
  child.envp = env.data();
  if (!call.cwd.empty()) child.cwd = call.cwd.c_str();
  child.fds = {null.get(), out < 0 ? null.get() : out, err < 0 ? null.get() : err};
  child.die_with_parent = die_with_parent;
  auto started = spawn(child);
  if (!started) return started.error();
  return started->pid;
}

Result<QueryAnswer> ask(HelperCall call) {
  const std::string name = call.argv[0];
  auto program = find_program(name, path_of(call.environment), {});
  if (!program) return program.error();
  call.argv[0] = *program;
  int ends[2];
  if (!make_output_pipe(ends[0], ends[1])) return Error::from_errno(errno, "make a pipe");
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const std::int64_t deadline = now_ms() + call.limit_ms;
  auto pid = start_helper(call, writer.get(), -1, true);
  if (!pid) return pid.error();
  writer.close();

  QueryAnswer answer;
  int status = -1;  // no exit status
  auto why = read_output(reader.get(), call, deadline, false, answer.out);
  const bool is_cut = answer.out.size() >= call.longest;
  if (!why && !is_cut) why = await_end(*pid, call, deadline, status);
  if (why || is_cut) {
    ::kill(-*pid, SIGKILL);
    while (::waitpid(*pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (why == ErrorKind::kCancelled) {
    return Error{*why, name + " was ended before it answered"};
  }
  if (why) return Error{*why, name + " did not answer in time"};
  if (WIFEXITED(status)) answer.code = WEXITSTATUS(status);
  return answer;
}

AskGit ask_git(std::vector<std::string> environment) {
  // Remove the variables of a git hook, because they name the hook's repository.
  std::erase_if(environment, [](const std::string& entry) { return entry.starts_with("GIT_"); });
  return [environment = std::move(environment)](const std::vector<std::string>& arguments) {
    HelperCall query;
    // Disable the programs that the repository's config names, because git would start them.
    query.argv = {"git", "--no-optional-locks",     "-c", "core.fsmonitor=false",
                  "-c",  "core.hooksPath=/dev/null"};
    query.argv.insert(query.argv.end(), arguments.begin(), arguments.end());
    query.environment = environment;
    query.limit_ms = 10'000;
    const auto answer = ask(std::move(query));
    return answer && answer->code == 0 ? answer->out : std::string();
  };
}

Result<HookEnd> run_hook(HelperCall call) {
  auto started = start_helper(call, -1, STDERR_FILENO);
  if (!started) return started.error();
  const pid_t pid = *started;
  HookEnd end;
  int status = 0;
  end.late = await_end(pid, call, now_ms() + call.limit_ms, status).has_value();
  if (end.late) {
    ::kill(-pid, SIGTERM);
    ::kill(-pid, SIGCONT);
    call.stop = nullptr;
    const bool ended = !await_end(pid, call, now_ms() + call.grace_ms, status);
    ::kill(-pid, SIGKILL);
    if (!ended) (void)::waitpid(pid, &status, 0);
  }
  if (WIFSIGNALED(status)) {
    end.signal = WTERMSIG(status);
  } else {
    end.code = WEXITSTATUS(status);
  }
  return end;
}

Result<std::string> start_detached(HelperCall call) {
  int ends[2];
  if (!make_output_pipe(ends[0], ends[1])) return Error::from_errno(errno, "make a pipe");
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  auto pid = start_helper(call, writer.get(), STDERR_FILENO);
  if (!pid) return pid.error();
  writer.close();
  std::string out;
  const auto why = read_output(reader.get(), call, now_ms() + call.limit_ms, true, out);
  out.resize(std::min(out.find('\n'), out.size()));
  if (!why && out.size() < call.longest) return out;
  ::kill(*pid, SIGTERM);
  const std::string reason =
      !why ? "answered with more than " + std::to_string(call.longest) + " bytes"
      : why == ErrorKind::kCancelled
          ? "was given up before it answered"
          : "did not answer within " + std::to_string(call.limit_ms) + " ms";
  return Error{why.value_or(ErrorKind::kLimit), "process " + std::to_string(*pid) + " " + reason,
               "it was asked to end; its messages are above"};
}

}  // namespace moonlet
