#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "host/process/child/cgroup.h"
#include "host/process/keeper/supervisor.h"

namespace moonlet {

namespace {

// A process that has closed its streams is often about to exit, so wait this long.
constexpr std::int64_t kSettleMs = 20;
// Processes that a finished step left running get at most this long to end, except after a cancel.
constexpr std::int64_t kStragglerGraceMs = 500;
// Processes that still run this long after SIGKILL are given up. They may wait for a broken disk,
// or belong to another user.
constexpr std::int64_t kKillLimitMs = 10000;
// Makes up to this many scans of the processes per turn of the event loop. Processes that keep
// forking could escape if there were pauses between the scans. The limit leaves time for other
// steps.
constexpr int kLooks = 12;
constexpr std::int64_t kTickMs = 1;
constexpr std::int64_t kSlowTickMs = 50;
// Up to this many pids are checked one by one. With more, scan the whole of /proc.
constexpr pid_t kFewPids = 48;
// Within this time after a step's start, pids have almost certainly not wrapped around.
constexpr std::int64_t kYoungMs = 10000;

std::int64_t milliseconds(const timeval& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1000 + time.tv_usec / 1000;
}

std::int64_t kilobytes(long max_rss) {
#ifdef __APPLE__
  return max_rss / 1024;
#else
  return max_rss;
#endif
}

}  // namespace

// Reaps ended children. Returns true if one was an orphan: earlier snapshots are then outdated.
bool Supervisor::reap() {
  bool orphan_gone = false;
  int status = 0;
  rusage usage{};
  for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
    auto main = mains_.find(pid);
    if (main != mains_.end()) {
      main_ended(*main->second, status, usage);
    } else {
      orphans_.erase(pid);
      orphan_gone = true;
    }
  }
  if (!orphan_gone) return false;
  for (const auto& [number, step] : steps_) {
    if (step->ended && (step->phase == Step::Phase::kTerm || step->settling)) {
      unsettled_.insert(number);
    }
  }
  return true;
}

void Supervisor::main_ended(Step& step, int status, const rusage& usage) {
  mains_.erase(step.pid);
  step.ended = true;
  ChildExit& exit = step.exit;
  if (WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
  } else {
    exit.code = WEXITSTATUS(status);
  }
  // Keep the reason of an earlier limit or cancel.
  if (exit.why == ChildExit::Why::kNotStarted) {
    exit.why = exit.signal != 0 ? ChildExit::Why::kSignalled : ChildExit::Why::kExited;
  }
  exit.duration_ms = now() - step.started;
  exit.cpu_ms = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
  exit.max_rss_kb = kilobytes(usage.ru_maxrss);
  drain(step);
  unsettled_.insert(step.number);
}

// Returns true if no other process on the machine has forked since this step began.
bool Supervisor::alone_since(const Step& step, pid_t newest) const {
  return newest >= step.pid && now() - step.started < kYoungMs &&
         static_cast<std::uint64_t>(newest - step.pid) == spawned_ - step.spawned_as;
}

// Returns true if every child of the worker is the main process of a step.
// Reads one file if the kernel lists children, otherwise scans all processes.
bool Supervisor::no_orphans() {
  std::vector<pid_t> children;
  if (!list_own_children(children)) {
    const pid_t self = getpid();
    for (const auto& process : list_processes()) {
      if (process.ppid == self && !process.zombie) children.push_back(process.pid);
    }
  }
  return std::all_of(children.begin(), children.end(),
                     [&](pid_t pid) { return mains_.count(pid) != 0; });
}

// Completes ended steps if certainly none of their processes still runs. Any remaining process is
// an orphan or descends from one, and an orphan becomes a child of the worker.
void Supervisor::settle_clean(std::vector<std::uint32_t>& numbers) {
  const pid_t newest = newest_pid();
  const pid_t self = getpid();
  enum { kUnknown, kNone, kSome } orphans = kUnknown;
  auto clean = [&](const Step& step) {
    if (alone_since(step, newest)) return true;
    if (newest > step.pid && newest - step.pid <= kFewPids && now() - step.started < kYoungMs) {
      ProcessInfo info;
      for (pid_t pid = step.pid + 1; pid <= newest; ++pid) {
        if (mains_.count(pid) == 0 && read_process(pid, info) && info.ppid == self &&
            !info.zombie) {
          return false;
        }
      }
      return true;
    }
    if (orphans == kUnknown) orphans = no_orphans() ? kNone : kSome;
    return orphans == kNone;
  };
  std::vector<std::uint32_t> candidates;
  for (std::uint32_t number : numbers) {
    const Step& step = *steps_.at(number);
    if (step.ended && clean(step)) candidates.push_back(number);
  }
  // If an orphan has ended meanwhile, it may have left a child that these checks did not see.
  if (candidates.empty() || reap()) return;
  for (std::uint32_t number : candidates) {
    numbers.erase(std::find(numbers.begin(), numbers.end(), number));
    complete_tree(*steps_.at(number));
  }
}

std::uint32_t Supervisor::attribute(const ProcessInfo& info) {
  auto known = orphans_.find(info.pid);
  if (known != orphans_.end() && known->second.born_ms == info.born_ms) return known->second.step;
  std::uint32_t step = 0;
  if (!read_mark(info.pid, identity_.token, step)) return 0;
  orphans_[info.pid] = {info.born_ms, step};
  return step;
}

std::vector<TreeMember> Supervisor::snapshot() {
  TreeOwners owners;
  for (const auto& [number, step] : steps_) {
    if (!step->ended) owners.mains.emplace(step->pid, number);
    // The kernel does not reuse a session's id while it has processes, so the id is still this
    // step's.
    if (!step->ended || mains_.count(step->pid) == 0) owners.groups[step->pid] = number;
  }
  owners.attribute = [this](const ProcessInfo& info) { return attribute(info); };
  return find_tree(list_processes(), getpid(), owners);
}

// Checks the steps in unsettled_, and completes those that have ended.
// With `strays_too`, also searches for processes that belong to no running step.
void Supervisor::look(bool strays_too) {
  bool must_search = strays_too && strays_;
  for (int round = 0; round < kLooks && (must_search || !unsettled_.empty()); ++round) {
    std::vector<std::uint32_t> numbers(unsettled_.begin(), unsettled_.end());
    if (!numbers.empty()) settle_clean(numbers);
    if (numbers.empty() && !must_search) continue;
    must_search = false;
    if (search(numbers)) break;
  }
  if (!unsettled_.empty()) schedule_tick(next_look_ms());
}

// Takes a snapshot of all processes and decides which of the steps `numbers` have ended.
// Returns false if a process exited meanwhile, because another scan may then find more.
bool Supervisor::search(const std::vector<std::uint32_t>& numbers) {
  std::unordered_set<std::uint32_t> ended_before;
  for (std::uint32_t number : numbers) {
    if (steps_.at(number)->ended) ended_before.insert(number);
  }
  const std::vector<TreeMember> tree = snapshot();
  std::unordered_map<std::uint32_t, Members> members;
  for (const auto& member : tree) {
    if (!member.info.zombie) members[member.step].push_back(&member);
  }
  // If a process ended during the snapshot, its children may be missing in the snapshot.
  const bool complete = !reap();
  bool outdated = false;
  for (std::uint32_t number : numbers) {
    const auto found = steps_.find(number);
    if (found == steps_.end()) continue;
    Step& step = *found->second;
    // The step's main process has ended since the snapshot, which is therefore outdated.
    if (step.ended && ended_before.count(number) == 0) {
      outdated = true;
    } else {
      judge(step, members[number], complete);
    }
  }
  end_strays(tree);
  return complete && !outdated && !reap();
}

// The longer a tree resists SIGKILL, the less often it is scanned.
std::int64_t Supervisor::next_look_ms() const {
  std::int64_t longest = 0;
  for (std::uint32_t number : unsettled_) {
    const Step& step = *steps_.at(number);
    if (step.phase == Step::Phase::kKill) longest = std::max(longest, now() - step.kill_since);
  }
  return std::clamp<std::int64_t>(longest / 20, kTickMs, kSlowTickMs);
}

// Decides how a step continues. `members` are the living processes of its tree.
// If `complete` is false, processes may be missing in `members`.
void Supervisor::judge(Step& step, const Members& members, bool complete) {
  const bool killing = step.phase == Step::Phase::kKill;
  if (killing) kill_tree(step, members);
  if (killing && now() - step.kill_since > kKillLimitMs) return give_up(step, members.size());
  if (step.ended && members.empty()) {
    if (complete) complete_tree(step);
    return;
  }
  if (step.ended) log_reaped(step);
  if (killing) return;
  if (step.phase == Step::Phase::kTerm) {
    ask_to_end(step, members);
  } else if (step.ended) {
    wait_for_rest(step);
  } else {
    return;
  }
  unsettled_.erase(step.number);
}

void Supervisor::give_up(Step& step, std::size_t members) {
  step.exit.error = Error{ErrorKind::kFailed,
                          std::to_string(std::max<std::size_t>(members, 1)) +
                              " processes of the step could not be killed",
                          "`moonlet ps` lists them; another user may own them"};
  complete(step);
}

void Supervisor::complete_tree(Step& step) {
  unsettled_.erase(step.number);
  step.tree_empty = true;
  try_complete(step);
}

void Supervisor::log_reaped(Step& step) {
  if (std::exchange(step.reaped_logged, true)) return;
  log_.add(reaped_line(step.number, step.exit.code, step.exit.signal));
}

// The main process of the step has ended, but its tree may remain.
// The tree gets time to exit or to close its streams.
void Supervisor::wait_for_rest(Step& step) {
  if (!step.streams_open()) {
    if (!std::exchange(step.settling, true)) drain_for(step, kSettleMs);
  } else if (step.phase == Step::Phase::kRunning) {
    drain_for(step, step.drain_ms);
  }
}

void Supervisor::drain_for(Step& step, std::int64_t ms) {
  step.phase = Step::Phase::kDraining;
  step.phase_deadline_ms = now() + ms;
  arm(step);
}

// Asks the step's processes to end. If the main process has ended already, `why` only decides the
// grace period. kExited means that the remaining processes must end now.
void Supervisor::begin_end(Step& step, ChildExit::Why why, std::int64_t grace_ms) {
  using Phase = Step::Phase;
  using Why = ChildExit::Why;
  if (step.phase == Phase::kKill) return;
  const std::int64_t deadline = now() + grace_ms;
  if (step.phase == Phase::kTerm) {
    step.phase_deadline_ms = std::min(step.phase_deadline_ms, deadline);
    return arm(step);
  }
  if (!step.ended) {
    step.exit.why = why;
    if (why == Why::kWall || why == Why::kIdle) {
      drain(step);
      step.exit.out_in_time = step.out_capture.total();
    }
    // Signal the step's process group now. The next scan finds processes outside of the group.
    kill(-step.pid, SIGTERM);
    kill(-step.pid, SIGCONT);
  } else {
    step.left_behind = true;
    if (why != Why::kCancelled) grace_ms = std::min(grace_ms, kStragglerGraceMs);
  }
  step.phase = Phase::kTerm;
  step.phase_deadline_ms = now() + grace_ms;
  unsettled_.insert(step.number);
  arm(step);
  schedule_tick(0);
}

void Supervisor::ask_to_end(Step& step, const Members& members) {
  if (!step.asked) step.asked = std::make_unique<std::unordered_set<pid_t>>();
  for (const TreeMember* member : members) {
    // begin_end() has signalled the process group, unless the main process had ended.
    if (!step.left_behind && member->info.pgid == step.pid) continue;
    if (!step.asked->insert(member->info.pid).second) continue;
    signal_process(member->info, SIGTERM);
    // A stopped process handles SIGTERM only when SIGCONT continues it.
    signal_process(member->info, SIGCONT);
  }
}

void Supervisor::kill_tree(Step& step, const Members& members) {
  if (!step.cgroup.empty()) kill_cgroup(step.cgroup);
  if (!step.ended) kill(-step.pid, SIGKILL);
  for (const TreeMember* member : members) {
    if (!step.asked) step.asked = std::make_unique<std::unordered_set<pid_t>>();
    step.asked->insert(member->info.pid);
    if (!signal_process(member->info, SIGKILL)) continue;
    // A living member proves that the group still belongs to the step.
    // A single signal to the group ends processes that fork faster than a scan.
    if (step.ended && member->info.pgid == step.pid) kill(-step.pid, SIGKILL);
  }
}

void Supervisor::end_strays(const std::vector<TreeMember>& tree) {
  strays_ = false;
  for (const auto& member : tree) {
    if (member.info.zombie || steps_.count(member.step) != 0) continue;
    bool ours =
        member.step == 0 && std::any_of(steps_.begin(), steps_.end(), [&](const auto& entry) {
          return entry.second->born_ms <= member.info.born_ms + 20;
        });
    strays_ = true;
    if (!ours) signal_process(member.info, SIGKILL);
  }
}

}  // namespace moonlet
