#include "host/process/client/sweep.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <unordered_map>
#include <unordered_set>

#include "host/base/clock.h"
#include "host/base/fd.h"
#include "host/process/child/cgroup.h"
#include "host/process/client/requests.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

namespace {

constexpr std::int64_t kKillLimitMs = 5000;
constexpr int kPauseMs = 2;
constexpr int kGroupWaitMs = 500;

void add_cgroup_members(const std::string& cgroup, std::unordered_set<pid_t>& pids) {
  std::ifstream file(cgroup + "/cgroup.procs");
  for (long pid; file >> pid;) pids.insert(static_cast<pid_t>(pid));
}

bool is_process(const ProcessInfo& process, pid_t pid, std::int64_t born_ms) {
  return process.pid == pid && std::abs(process.born_ms - born_ms) <= birth_tolerance_ms();
}

// Finder selects the processes of a keeper's children from `processes`.
class Finder {
 public:
  Finder(const LoggedKeeper& keeper, const std::vector<ProcessInfo>& processes)
      : keeper_(keeper), processes_(processes) {
    for (const auto& process : processes) children_.emplace(process.ppid, &process);
    if (is_run_cgroup(keeper.record.cgroup, keeper.record.token)) {
      add_cgroup_members(keeper.record.cgroup, in_cgroup_);
    }
    for (const auto& [number, child] : keeper.children) {
      using State = LoggedChild::State;
      if (child.state != State::kStarted && child.state != State::kLost) continue;
      if (child.pid > 1) mains_[child.pid] = {number, &child};
    }
  }

  std::vector<LiveProcess> find() {
    const pid_t self = getpid();
    for (const auto& process : processes_) {
      if (process.zombie || process.pid <= 1 || process.pid == self || is_keeper(process)) continue;
      std::uint32_t number = 0;
      const bool main = is_main(process, number);
      const bool marked = main || read_mark(process.pid, keeper_.record.token, number);
      // A process in the run's cgroup belongs to the run even if its environment has no mark. But
      // the listed process may have ended and its pid may be reused, so check that it still runs.
      const bool fenced = !marked && in_cgroup_.count(process.pid) != 0 && same_process(process);
      if (marked || fenced) add(process, number, main);
    }
    return std::move(found_);
  }

 private:
  bool is_keeper(const ProcessInfo& process) const {
    const KeeperRecord& record = keeper_.record;
    return is_process(process, record.guard_pid, record.guard_born_ms) ||
           is_process(process, record.worker_pid, record.worker_born_ms);
  }

  bool is_main(const ProcessInfo& process, std::uint32_t& number) const {
    auto main = mains_.find(process.pid);
    if (main == mains_.end() || !born_at(process, main->second.second->born_ms)) return false;
    number = main->second.first;
    return true;
  }

  // Adds the process and its descendants, which may have removed the mark from their environment.
  void add(const ProcessInfo& process, std::uint32_t number, bool main) {
    std::vector<const ProcessInfo*> waiting{&process};
    while (!waiting.empty()) {
      const ProcessInfo& info = *waiting.back();
      waiting.pop_back();
      auto known = index_.find(info.pid);
      if (known == index_.end()) {
        index_[info.pid] = found_.size();
        found_.push_back(describe(info, number, main && info.pid == process.pid));
      } else {
        LiveProcess& live = found_[known->second];
        if (live.record.number == 0 && number != 0) live = describe(info, number, main);
        if (main && info.pid == process.pid) live.main = true;
        continue;
      }
      auto [first, last] = children_.equal_range(info.pid);
      for (; first != last; ++first) {
        const ProcessInfo& child = *first->second;
        if (!child.zombie && !is_keeper(child) && child.pid != getpid()) waiting.push_back(&child);
      }
    }
  }

  LiveProcess describe(const ProcessInfo& info, std::uint32_t number, bool main) const {
    LiveProcess live;
    live.info = info;
    live.age_ms = std::max<std::int64_t>(boot_clock_ms() - info.born_ms, 0);
    live.main = main;
    auto child = keeper_.children.find(number);
    if (child != keeper_.children.end()) live.record = child->second;
    live.record.number = number;
    return live;
  }

  const LoggedKeeper& keeper_;
  const std::vector<ProcessInfo>& processes_;
  std::unordered_multimap<pid_t, const ProcessInfo*> children_;
  std::unordered_map<pid_t, std::pair<std::uint32_t, const LoggedChild*>> mains_;
  std::unordered_set<pid_t> in_cgroup_;
  std::unordered_map<pid_t, std::size_t> index_;
  std::vector<LiveProcess> found_;
};

std::vector<LiveProcess> find_all(const std::vector<LoggedKeeper>& keepers) {
  const std::string boot = boot_id();
  const std::vector<ProcessInfo> processes = list_processes();
  std::vector<LiveProcess> all;
  std::unordered_set<pid_t> seen;
  for (const auto& keeper : keepers) {
    // After a reboot, the recorded pids may belong to other processes, so skip those keepers.
    if (keeper.record.token.empty() || keeper.record.boot_id != boot) continue;
    // Skip a copied log. Its processes belong to the original run, which may still have a host.
    if (keeper.copied) continue;
    for (auto& live : Finder(keeper, processes).find()) {
      if (seen.insert(live.info.pid).second) all.push_back(std::move(live));
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const LiveProcess& a, const LiveProcess& b) {
    return std::pair(!a.main, a.record.number) < std::pair(!b.main, b.record.number);
  });
  return all;
}

bool has_cgroup(const LoggedKeeper& keeper) {
  return !keeper.copied && is_run_cgroup(keeper.record.cgroup, keeper.record.token);
}

Result<Fd> lock_log(int run_dir_fd, std::int64_t wait_ms) {
  const std::int64_t give_up = boot_clock_ms() + wait_ms;
  while (true) {
    auto fd = open_keeper_log(run_dir_fd, true);
    if (fd) return Fd(*fd);
    if (fd.error().kind != ErrorKind::kDenied || boot_clock_ms() >= give_up) return fd.error();
    poll(nullptr, 0, 10);
  }
}

}  // namespace

Result<std::vector<LiveProcess>> list_live(int run_dir_fd) {
  auto keepers = read_keeper_log(run_dir_fd, true);
  if (!keepers) return keepers.error();
  return find_all(*keepers);
}

bool keeper_is_alive(int run_dir_fd) {
  Fd fd(openat(run_dir_fd, kKeeperLogName, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  return fd && flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

void continue_keeper(int run_dir_fd) {
  auto keepers = read_keeper_log(run_dir_fd, true);
  if (!keepers || keepers->empty()) return;
  const KeeperRecord& record = keepers->back().record;
  if (record.boot_id != boot_id()) return;
  const std::pair<pid_t, std::int64_t> both[] = {{record.guard_pid, record.guard_born_ms},
                                                 {record.worker_pid, record.worker_born_ms}};
  for (const auto& [pid, born_ms] : both) {
    ProcessInfo info;
    if (pid > 1 && read_process(pid, info) && is_process(info, pid, born_ms)) {
      signal_process(info, SIGCONT);
    }
  }
}

Result<Swept> sweep(int run_dir_fd, std::int64_t wait_ms) {
  // Read the log before locking it, because lock_log() would make a log if there is none.
  auto keepers = read_keeper_log(run_dir_fd, true);
  if (!keepers) return keepers.error();
  if (keepers->empty()) return Swept{};
  auto log_fd = lock_log(run_dir_fd, wait_ms);
  if (!log_fd) return log_fd.error();
  keepers = read_keeper_log(run_dir_fd, true);
  if (!keepers) return keepers.error();

  Swept swept;
  std::unordered_set<pid_t> killed;
  const std::int64_t give_up = boot_clock_ms() + kKillLimitMs;
  for (std::vector<LiveProcess> live;;) {
    for (const auto& keeper : *keepers) {
      const KeeperRecord& record = keeper.record;
      if (has_cgroup(keeper)) kill_cgroup(record.cgroup);
    }
    live = find_all(*keepers);
    swept.left = static_cast<int>(live.size());
    if (live.empty() || boot_clock_ms() >= give_up) break;
    bool fresh = false;
    for (auto& process : live) {
      signal_process(process.info, SIGKILL);
      if (!killed.insert(process.info.pid).second) continue;
      swept.killed.push_back(std::move(process));
      fresh = true;
    }
    // Do not pause while new processes appear, because they may keep starting others.
    if (!fresh) poll(nullptr, 0, kPauseMs);
  }

  KeeperLogWriter log(log_fd->get());
  const std::int64_t now = SystemClock().wall_ms();
  for (const auto& process : swept.killed) {
    log.add(swept_line(process.info.pid, process.record.number, now));
  }
  LoggedKeeper& last = keepers->back();
  for (const auto& [number, child] : last.children) {
    using State = LoggedChild::State;
    if (child.state != State::kStarted && child.state != State::kReaped) continue;
    log.add(lost_line(number, "keeper died", now));
    ++swept.lost;
  }
  if (!last.ended) log.add(end_line("swept", now));
  if (log.waiting()) {
    if (auto flushed = log.flush(true); !flushed) return flushed.error();
  }
  unlinkat(run_dir_fd, kKeeperSocketName, 0);
  for (const auto& keeper : *keepers) {
    if (has_cgroup(keeper)) {
      remove_cgroup(keeper.record.cgroup, kGroupWaitMs);
    }
  }
  return swept;
}

}  // namespace moonlet
