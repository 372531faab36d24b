#include "host/process/keeper/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "host/base/clock.h"
#include "host/base/id.h"
#include "host/process/child/cgroup.h"
#include "host/process/child/subreaper.h"
#include "host/process/child/tree.h"
#include "host/process/keeper/control.h"
#include "host/process/keeper/worker.h"
#include "host/process/wire/channel.h"
#include "host/process/wire/exit_file.h"

namespace moonlet {

namespace {

constexpr std::int64_t kGuardLimitMs = 30000;
constexpr int kGroupWaitMs = 500;
constexpr std::int64_t kLockWaitMs = 500;
constexpr int kFreeStops = 16;
constexpr int kStopPauseMs = 1000;

struct Arguments {
  WorkerSetup setup;
  int live_dir_fd = -1;
  bool cgroups = true, publishes = false;
};

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  auto parsed = std::from_chars(text.data(), end, number);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

bool parse_fd(std::string_view text, int& fd) {
  return parse_number(text, fd) && fd > 2 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  WorkerSetup& setup = arguments.setup;
  const std::map<std::string_view, int*> fds{{"--dir", &setup.run_dir_fd},
                                             {"--socket", &setup.host_fd},
                                             {"--output", &setup.output_dir_fd},
                                             {"--live", &arguments.live_dir_fd}};
  const std::map<std::string_view, std::string*> texts{{"--run", &setup.record.run_id},
                                                       {"--label", &setup.label}};
  for (int i = 0; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--no-cgroups") {
      arguments.cgroups = false;
    } else if (name == "--publish") {
      arguments.publishes = true;
    } else if (++i == argc) {
      return false;
    } else if (auto fd = fds.find(name); fd != fds.end()) {
      if (!parse_fd(argv[i], *fd->second)) return false;
    } else if (auto text = texts.find(name); text != texts.end()) {
      *text->second = argv[i];
    } else if (name != "--generation" || !parse_number(argv[i], setup.record.generation)) {
      return false;
    }
  }
  return setup.run_dir_fd >= 0 && setup.host_fd >= 0 && setup.output_dir_fd >= 0;
}

int refuse(int host_fd, const Error& error) {
  Channel host(host_fd, kHostFrameLimit, Channel::Fds::kNone);
  encode(host.out(), HelloFrame{kKeeperProtocol, MOONLET_VERSION, "", 0, 0});
  encode_refused(host.out(), error);
  host.flush();
  return 1;
}

// Locks keeper.log. Waits while another process checks it, or while an earlier keeper is ending.
// Fails if another host has taken over the run, because a fenced host's keeper must start no child.
Result<int> lock_log(const WorkerSetup& setup) {
  const std::int64_t give_up = boot_clock_ms() + kLockWaitMs;
  auto fd = open_keeper_log(setup.run_dir_fd, true);
  while (!fd && fd.error().kind == ErrorKind::kDenied && boot_clock_ms() < give_up) {
    poll(nullptr, 0, 5);
    fd = open_keeper_log(setup.run_dir_fd, true);
  }
  if (!fd || setup.record.generation == 0) return fd;
  const std::uint64_t newest = glance_at_keeper_log(setup.run_dir_fd).generation;
  if (newest <= setup.record.generation) return fd;
  close(*fd);
  return Error{ErrorKind::kDenied,
               "another host has taken over the run (generation " + std::to_string(newest) + ")",
               "let that host continue; what was under way is on its record", kKeeperLogName};
}

// Records as lost the children whose end the worker could not record.
void record_losses(int run_dir_fd, int log_fd) {
  auto keepers = read_keeper_log(run_dir_fd, true);
  KeeperLogWriter log(log_fd);
  const std::int64_t now = SystemClock().wall_ms();
  if (keepers && !keepers->empty()) {
    for (const auto& [number, child] : keepers->back().children) {
      if (child.state == LoggedChild::State::kIntent) continue;
      log.add(lost_line(number, "worker died", now));
    }
  }
  log.add(end_line("worker died", now));
  (void)log.flush(true);
}

// Continues a stopped worker, because a stopped worker enforces no limit and answers nobody.
// A user or a child may have stopped it. After many stops, continues only once a second.
// Stops by a debugger go to the tracer, so the guard does not see them.
void let_go_on(pid_t worker, int stops) {
  if (stops > kFreeStops) poll(nullptr, 0, kStopPauseMs);
  kill(worker, SIGCONT);
}

int guard(pid_t worker, Arguments& arguments) {
  WorkerSetup& setup = arguments.setup;
  const std::string& cgroup = setup.record.cgroup;
  set_process_name(kGuardName);
  trim_process();
  int status = 0, stops = 0;
  pid_t ended;
  while (true) {
    ended = waitpid(-1, &status, WUNTRACED);
    if (ended < 0 && errno != EINTR) break;
    if (ended != worker) continue;
    if (!WIFSTOPPED(status)) break;
    let_go_on(worker, ++stops);
  }
  const bool died = ended != worker || !WIFEXITED(status);
  if (died) kill_cgroup(cgroup);
  end_all_descendants(kGuardLimitMs);
  if (died) {
    record_losses(setup.run_dir_fd, setup.log_fd);
    unlink(kKeeperSocketName);
    if (setup.entry) setup.entry->remove();
  }
  remove_cgroup(cgroup, kGroupWaitMs);
  // On a full disk, publishing fails. A later query then publishes the end from keeper.log.
  if (arguments.publishes) (void)publish_logged_exit(setup.run_dir_fd, SystemClock().wall_ms());
  return died ? 1 : WEXITSTATUS(status);
}

std::int64_t born_of(pid_t pid) {
  ProcessInfo info;
  return read_process(pid, info) ? info.born_ms : boot_clock_ms();
}

}  // namespace

int keeper_main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    static constexpr char kText[] = "moonlet keeper is started by moonlet itself\n";
    return write(STDERR_FILENO, kText, sizeof kText - 1) < 0 ? 2 : 2;
  }
  WorkerSetup& setup = arguments.setup;
  if (fchdir(setup.run_dir_fd) != 0) {
    return refuse(setup.host_fd, Error::from_errno(errno, "enter the run's directory"));
  }
  auto log_fd = lock_log(setup);
  if (!log_fd) return refuse(setup.host_fd, log_fd.error());
  int alive[2];
  if (pipe(alive) != 0) return refuse(setup.host_fd, Error::from_errno(errno, "make a pipe"));
  for (int fd : alive) fcntl(fd, F_SETFD, FD_CLOEXEC);

  setup.log_fd = *log_fd;
  setup.guard_fd = alive[0];
  setup.record.version = MOONLET_VERSION;
  setup.record.log_file = identify_file(*log_fd);
  setup.record.token = random_hex(8);
  setup.record.boot_id = boot_id();
  setup.record.guard_pid = getpid();
  setup.record.guard_born_ms = born_of(getpid());
  if (arguments.cgroups) setup.record.cgroup = make_run_cgroup(setup.record.token);
  if (const char* mark = std::getenv(kMarkName.data())) setup.outer_mark = mark;
  if (arguments.live_dir_fd >= 0) {
    auto entry = LiveEntry::make(arguments.live_dir_fd, setup.record.token);
    if (entry) setup.entry = std::move(*entry);
  }

  become_subreaper();
  std::string& cgroup = setup.record.cgroup;
  pid_t worker = cgroup.empty() ? -1 : fork_into_cgroup(cgroup);
  const bool joins = worker < 0;
  if (worker < 0) worker = fork();
  if (worker < 0) {
    const Error error = Error::from_errno(errno, "start the keeper's worker");
    remove_cgroup(cgroup);
    if (setup.entry) setup.entry->remove();
    return refuse(setup.host_fd, error);
  }
  if (worker == 0) {
    close(alive[1]);
    if (joins && !cgroup.empty() && !join_cgroup(cgroup)) {
      remove_cgroup(cgroup);
      cgroup.clear();
    }
    set_process_name(kWorkerName);
    become_subreaper();
    setup.record.worker_pid = getpid();
    setup.record.worker_born_ms = born_of(getpid());
    _exit(run_worker(std::move(setup)));
  }
  // Close the socket here, so that the host reads end of file as soon as the worker has ended.
  close(setup.host_fd);
  close(alive[0]);
  return guard(worker, arguments);
}

}  // namespace moonlet
