#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "host/process/child/cgroup.h"
#include "host/process/child/program.h"
#include "host/process/child/spawn.h"
#include "host/process/keeper/supervisor.h"

namespace moonlet {

namespace {

// The children of a batch share one write and one sync of the log. A larger batch delays exits.
constexpr std::size_t kBatch = 16;

constexpr std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }
// The worker handles or ignores these signals. keeper_main() has reset all others.
constexpr std::uint64_t kOurSignals = bit(SIGCHLD) | bit(SIGTERM) | bit(SIGINT) | bit(SIGHUP) |
                                      bit(SIGPIPE) | bit(SIGXFSZ) | bit(SIGALRM);

std::vector<char*> pointers(std::string& strings, std::uint32_t count, std::size_t more) {
  std::vector<char*> list;
  list.reserve(count + more + 1);
  for (std::size_t at = 0; at < strings.size(); at = strings.find('\0', at) + 1) {
    list.push_back(strings.data() + at);
  }
  return list;
}

bool is_named(const char* entry, std::string_view name) {
  std::string_view text(entry);
  return text.starts_with(name) && text.substr(name.size()).starts_with('=');
}

const char* value_of(const std::vector<char*>& env, std::string_view name) {
  for (const char* entry : env) {
    if (entry != nullptr && is_named(entry, name)) return entry + name.size() + 1;
  }
  return nullptr;
}

// Returns the environment in `frame` with `mark` as its MOONLET_STEP. Does not copy the texts.
std::vector<char*> marked_environment(StartFrame& frame, std::string& mark) {
  std::vector<char*> env = pointers(frame.env, frame.envc, 1);
  std::erase_if(env, [](char* entry) { return is_named(entry, kMarkName); });
  env.push_back(mark.data());
  env.push_back(nullptr);
  return env;
}

// Raises this process's descriptor limit once. Returns the earlier limit, which children get,
// because some programs fail with a higher limit.
const rlimit& inherited_file_limit() {
  static const rlimit limit = [] {
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    rlimit raised = before;
    raised.rlim_cur = raised.rlim_max;
    setrlimit(RLIMIT_NOFILE, &raised);
    return before;
  }();
  return limit;
}

std::vector<std::pair<int, rlimit>> child_limits(const std::string& token, std::uint32_t number) {
  std::vector<std::pair<int, rlimit>> limits;
  const rlimit& files = inherited_file_limit();
  if (files.rlim_cur != files.rlim_max) limits.emplace_back(RLIMIT_NOFILE, files);
  static const rlimit time = [] {
    rlimit inherited{0, 0};
    if (brand_resource() >= 0) getrlimit(brand_resource(), &inherited);
    return inherited;
  }();
  Brand brand = brand_for(token, number);
  // Inside an outer moonlet's step, keep the hard limit, because it is the outer mark.
  const bool nested = time.rlim_max != RLIM_INFINITY;
  if (nested && time.rlim_max < brand.soft) return limits;
  limits.emplace_back(brand_resource(), rlimit{brand.soft, nested ? time.rlim_max : brand.hard});
  return limits;
}

}  // namespace

Supervisor::Supervisor(Loop& loop, KeeperLogWriter& log, SupervisorListener& listener,
                       Identity identity)
    : loop_(loop),
      log_(log),
      listener_(listener),
      identity_(std::move(identity)),
      null_(open("/dev/null", O_RDWR | O_CLOEXEC)),
      child_ended_(loop.raw(), SIGCHLD, [this] { children_ended(); }) {
  inherited_file_limit();
}

EndedChild EndedChild::unstarted(StartFrame& frame, ChildExit::Why why, Error error) {
  EndedChild child;
  child.number = frame.number;
  child.step = std::move(frame.spec.step);
  child.attempt = std::move(frame.spec.attempt);
  child.durable = frame.spec.durable;
  child.exit.why = why;
  child.exit.error = std::move(error);
  return child;
}

void Supervisor::start(StartFrame frame) {
  const std::uint32_t number = frame.number;
  bool taken = number == 0 || steps_.count(number) != 0 ||
               std::any_of(queue_.begin(), queue_.end(),
                           [&](const StartFrame& other) { return other.number == number; });
  // Do not answer a duplicate number: the answer would complete the child that already has it.
  if (!taken) queue_.push_back(std::move(frame));
}

// Logs the intents of the next `count` queued children. If the disk is full, this fails before a
// program starts and costs money.
Result<void> Supervisor::record_intents(std::size_t count) {
  std::string intents;
  bool durable = false;
  for (std::size_t i = 0; i < count; ++i) {
    const StartFrame& frame = queue_[i];
    const ChildSpec& spec = frame.spec;
    intents += intent_line(frame.number, spec.step, spec.attempt, frame.logged_argv);
    durable = durable || spec.durable;
  }
  Result<void> room;
  if (durable) room = identity_.reserve->fill(identity_.run_dir_fd);
  auto recorded = log_.append(intents, durable);
  return recorded ? room : recorded;
}

bool Supervisor::commit() {
  std::size_t count = std::min(queue_.size(), kBatch);
  if (count == 0) return false;
  auto recorded = record_intents(count);
  for (; count > 0; --count) {
    StartFrame frame = std::move(queue_.front());
    queue_.pop_front();
    if (!recorded && frame.spec.durable) {
      Error error = recorded.error();
      error.message += "; '" + frame.spec.step + "' was not started";
      not_started(frame, std::move(error));
    } else {
      launch(frame);
    }
  }
  return !queue_.empty();
}

void Supervisor::not_started(StartFrame& frame, Error error) {
  EndedChild child = EndedChild::unstarted(frame, ChildExit::Why::kNotStarted, std::move(error));
  ChildExit logged = child.exit;
  if (frame.redacted) {
    // Do not log the error, because it may name the program or the folder.
    logged.error.message =
        "it could not be started; the reason is not logged, because it may hold a secret";
    logged.error.hint.clear();
    logged.error.at.clear();
  }
  log_.add(exit_line(child.number, logged, loop_.clock().wall_ms()));
  listener_.exited(std::move(child));
}

std::shared_ptr<const Redactor> Supervisor::redactor_for(const std::vector<Secret>& secrets) {
  if (secrets.empty()) return nullptr;
  auto same = [](const Secret& a, const Secret& b) {
    return a.name == b.name && a.value == b.value;
  };
  if (!redactor_ || !std::equal(secrets.begin(), secrets.end(), redactor_secrets_.begin(),
                                redactor_secrets_.end(), same)) {
    redactor_ = std::make_shared<const Redactor>(secrets, std::vector<std::string>{});
    redactor_secrets_ = secrets;
  }
  return redactor_;
}

Result<Supervisor::ProgramEnds> Supervisor::open_streams(Step& step, const ChildSpec& spec) {
  auto redactor = redactor_for(spec.secrets);
  struct Part {
    const OutputSpec& spec;
    Stream& stream;
    Capture& capture;
  } parts[2] = {{spec.out, step.out, step.out_capture}, {spec.err, step.err, step.err_capture}};
  ProgramEnds ends;
  for (int i = 0; i < 2; ++i) {
    Part& part = parts[i];
    if (auto opened = part.capture.open(identity_.output_dir_fd, part.spec); !opened) {
      return opened.error();
    }
    part.capture.redact(redactor);
    int read_end = -1, write_end = -1;
    if (!make_output_pipe(read_end, write_end)) return Error::from_errno(errno, "make a pipe");
    ends.outputs[i] = Fd(write_end);
    const auto ready = [this, number = step.number](int, int) { readable(number); };
    if (!part.stream.start(loop_.raw(), read_end, ready)) {
      return Error::from_errno(errno, "watch a pipe");
    }
  }
  return ends;
}

Result<Supervisor::ProgramEnds> Supervisor::open_terminal(Step& step, const ChildSpec& spec) {
  auto opened = Terminal::open({identity_.output_dir_fd,
                                spec.out.cap,
                                {spec.terminal_rows, spec.terminal_cols},
                                redactor_for(spec.secrets),
                                now()});
  if (!opened) return opened.error();
  const auto ready = [this, number = step.number](int, int) { readable(number); };
  if (!step.out.start(loop_.raw(), opened->reading, ready)) {
    return Error::from_errno(errno, "watch a terminal");
  }
  step.terminal = std::move(opened->terminal);
  ProgramEnds ends;
  ends.terminal = std::move(opened->program);
  return ends;
}

void Supervisor::launch(StartFrame& frame) {
  ChildSpec& spec = frame.spec;
  auto owned = std::make_unique<Step>();
  Step& step = *owned;
  step.number = frame.number;
  step.durable = spec.durable;
  step.outlives_host = spec.outlives_host;

  std::vector<char*> argv = pointers(frame.argv, frame.argc, 0);
  argv.push_back(nullptr);
  std::string mark =
      std::string(kMarkName) + "=" + mark_value(identity_.token, step.number, identity_.outer_mark);
  std::vector<char*> env = marked_environment(frame, mark);

  const char* path_variable = value_of(env, "PATH");
  auto program = find_program(argv[0], path_variable, spec.cwd);
  if (!program) return not_started(frame, program.error());

  Fd ruleset;
  if (spec.confinement) {
    auto made =
        make_ruleset(*spec.confinement, {*program, path_variable, value_of(env, "HOME"), spec.cwd});
    if (!made) return not_started(frame, made.error());
    ruleset = std::move(*made);
  }

  auto ends = spec.terminal_rows != 0 ? open_terminal(step, spec) : open_streams(step, spec);
  if (!ends) return not_started(frame, ends.error());
  if (ends->terminal) step.held = std::move(frame.stdin_fd);
  Fd cgroup;
  if (spec.own_cgroup) {
    step.cgroup = make_step_cgroup(identity_.cgroup, step.number);
    if (!step.cgroup.empty()) cgroup = Fd(open_cgroup(step.cgroup));
  }

  step.started = step.last_output = now();
  step.started_ms = loop_.clock().wall_ms();
  if (spec.wall_ms > 0) step.deadline_ms = step.started_ms + spec.wall_ms;
  step.born_ms = boot_clock_ms();
  StartLine line = start_line(step.number, spec.step, spec.attempt, step.born_ms, step.started_ms,
                              step.deadline_ms);
  SpawnRequest request;
  request.path = program->c_str();
  request.argv = argv.data();
  request.envp = env.data();
  request.cwd = spec.cwd.empty() ? nullptr : spec.cwd.c_str();
  request.fds = {frame.stdin_fd ? frame.stdin_fd.get() : null_.get(), ends->outputs[0].get(),
                 ends->outputs[1].get()};
  if (ends->terminal) request.fds.assign(3, ends->terminal.get());
  request.on_terminal = static_cast<bool>(ends->terminal);
  request.die_with_parent = true;
  request.cgroup_fd = cgroup.get();
  request.limits = child_limits(identity_.token, step.number);
  request.ruleset_fd = ruleset.get();
  request.record = {log_.fd(), line.prefix, line.suffix, step.durable};
  request.reset_signals = kOurSignals;
  // The child appends its own start record, so write the waiting lines first.
  if (auto flushed = log_.flush(false); !flushed && step.durable) {
    remove_cgroup(step.cgroup);
    return not_started(frame, flushed.error());
  }

  auto spawned = spawn(request);
  if (!spawned) {
    remove_cgroup(step.cgroup);
    return not_started(frame, spawned.error());
  }
  if (!spawned->recorded) log_.add(line.prefix + std::to_string(spawned->pid) + line.suffix);
  supervise(std::move(owned), spec, spawned->pid);
}

// Registers a step whose program was started, sets its time limits and notifies the listener.
void Supervisor::supervise(std::unique_ptr<Step> owned, ChildSpec& spec, pid_t pid) {
  Step& step = *owned;
  step.pid = pid;
  step.spawned_as = ++spawned_;
  step.step = std::move(spec.step);
  step.attempt = std::move(spec.attempt);
  step.wall_ms = spec.wall_ms;
  step.idle_ms = spec.idle_ms;
  step.grace_ms = std::max<std::int64_t>(spec.grace_ms, 0);
  step.drain_ms = std::max<std::int64_t>(spec.drain_ms, 0);
  mains_.emplace(step.pid, &step);
  if (step.terminal) terminals_.push_back(&step);
  steps_.emplace(step.number, std::move(owned));
  arm(step);
  listener_.started(step);
}

std::vector<ChildRecord> Supervisor::list_live() const {
  std::vector<ChildRecord> live;
  for (const auto& [number, step] : steps_) live.push_back(*step);
  std::sort(live.begin(), live.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return live;
}

}  // namespace moonlet
