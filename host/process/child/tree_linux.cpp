#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "host/process/child/proc_linux.h"
#include "host/process/child/tree.h"

namespace moonlet {

namespace {

// Returns true if /proc shows the pids of this process's pid namespace. With the /proc of an outer
// namespace, the process tree counts as empty and nothing is signalled.
bool proc_is_ours() {
  static const bool ours = [] {
    char link[32] = {};
    return readlink("/proc/self", link, sizeof link - 1) > 0 && std::atoi(link) == getpid();
  }();
  return ours;
}

constexpr int kListRounds = 5;
constexpr std::size_t kMostAncestors = 1000;

std::uint64_t limit_value(const char* text, char** end) {
  while (*text == ' ') ++text;
  if (std::strncmp(text, "unlimited", 9) == 0) {
    *end = const_cast<char*>(text) + 9;
    return RLIM_INFINITY;
  }
  return std::strtoull(text, end, 10);
}

bool list_proc(std::vector<ProcessInfo>& processes) {
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return false;
  while (dirent* entry = readdir(folder)) {
    char* end = nullptr;
    long pid = std::strtol(entry->d_name, &end, 10);
    ProcessInfo info;
    if (pid <= 0 || *end != '\0' || !read_process(static_cast<pid_t>(pid), info)) continue;
    processes.push_back(info);
  }
  closedir(folder);
  return true;
}

bool read_limits(pid_t pid, std::uint64_t& soft, std::uint64_t& hard) {
  const std::string text = read_proc(pid, "limits");
  const char* line = std::strstr(text.c_str(), "Max realtime timeout");
  if (line == nullptr) return false;
  char* end = nullptr;
  soft = limit_value(line + std::strlen("Max realtime timeout"), &end);
  hard = limit_value(end, &end);
  return true;
}

// Returns true if the process has no_new_privs, or if unknown.
bool gains_no_rights(pid_t pid) {
  const std::string text = read_proc(pid, "status");
  const char* line = std::strstr(text.c_str(), "\nNoNewPrivs:");
  return line == nullptr || std::strtol(line + std::strlen("\nNoNewPrivs:"), nullptr, 10) != 0;
}

bool is_worker(pid_t pid) { return read_proc(pid, "comm") == kWorkerName + std::string("\n"); }

// Reads the ancestors of `pid` from its parent up.
// Returns false if an ancestor exited before its parent was known.
bool read_ancestors(pid_t pid, std::vector<pid_t>& ancestors) {
  ProcessInfo info;
  while (ancestors.size() < kMostAncestors && read_process(pid, info)) {
    if ((pid = info.ppid) <= 0) return true;
    ancestors.push_back(pid);
  }
  return false;
}

bool read_brand(pid_t pid, std::string_view token, std::uint32_t& step) {
  std::uint64_t soft = 0, hard = 0;
  if (!read_limits(pid, soft, hard)) return false;
  const std::uint64_t step_bits = 0xffffff;
  Brand ours = brand_for(token, 0);
  // Check the hard limit first, because a nested moonlet changes the soft limit.
  if ((hard & ~step_bits) == ours.hard) {
    step = static_cast<std::uint32_t>(hard & step_bits);
    return true;
  }
  if ((soft & ~step_bits) == ours.soft) {
    step = static_cast<std::uint32_t>(soft & step_bits);
    return true;
  }
  return false;
}

bool read_environment_mark(pid_t pid, std::string_view token, std::uint32_t& step) {
  const std::string nul(1, '\0'), text = nul + read_proc(pid, "environ", 4u << 20);
  const std::string name = nul + std::string(kMarkName) + "=";
  std::size_t at = text.find(name);
  if (at == std::string::npos) return false;
  at += name.size();
  return mark_of(std::string_view(text).substr(at, text.find('\0', at) - at), token, step);
}

}  // namespace

std::int64_t boot_clock_ms() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

std::string boot_id() {
  std::string text;
  (void)read_proc("/proc/sys/kernel/random/boot_id", text);
  return text.size() >= 36 ? text.substr(0, 36) : "";
}

bool read_process(pid_t pid, ProcessInfo& info) {
  if (!proc_is_ours()) return false;
  const std::string text = read_proc(pid, "stat");
  // The process name in brackets may contain any character, also brackets and spaces.
  const std::size_t at = text.rfind(')');
  if (at == std::string::npos || at + 3 > text.size()) return false;
  const char state = text[at + 2];
  char* next = const_cast<char*>(text.c_str()) + at + 3;
  info.pid = pid;
  info.ppid = static_cast<pid_t>(std::strtol(next, &next, 10));
  info.pgid = static_cast<pid_t>(std::strtol(next, &next, 10));
  info.sid = static_cast<pid_t>(std::strtol(next, &next, 10));
  long threads = 0;
  for (int field = 7; field < 22; ++field) {
    long long value = std::strtoll(next, &next, 10);
    if (field == 20) threads = static_cast<long>(value);
  }
  static const std::int64_t ticks = sysconf(_SC_CLK_TCK);
  info.born_ms = std::strtoll(next, &next, 10) * 1000 / ticks;
  // A process whose first thread has ended looks like a zombie while its other threads run.
  info.zombie = (state == 'Z' || state == 'X' || state == 'x') && threads <= 1;
  return true;
}

// A step's processes carry a brand in a resource limit, even after their keeper has died. If a
// lower outer limit prevented the brand, look for another keeper's worker among the ancestors.
bool may_be_confined_elsewhere(pid_t pid) {
  if (pid <= 0) return false;
  if (!gains_no_rights(pid)) return false;
  std::uint64_t soft = 0, hard = 0;
  rlimit own{};
  if (!read_limits(pid, soft, hard) || getrlimit(RLIMIT_RTTIME, &own) != 0) return true;
  if (is_brand(hard) && hard != own.rlim_max) return true;
  std::vector<pid_t> theirs, around_us;
  if (!read_ancestors(pid, theirs)) return true;
  (void)read_ancestors(getpid(), around_us);
  return std::any_of(theirs.begin(), theirs.end(), [&](pid_t ancestor) {
    return is_worker(ancestor) &&
           std::find(around_us.begin(), around_us.end(), ancestor) == around_us.end();
  });
}

std::vector<ProcessInfo> list_processes() {
  std::vector<ProcessInfo> processes;
  pid_t newest = newest_pid();
  for (int round = 0; round < kListRounds; ++round) {
    processes.clear();
    if (!list_proc(processes)) break;
    // The kernel lists pids in large batches, so a new child may be missing in the list.
    // Scan again until there are no new processes.
    pid_t before = newest;
    while ((newest = newest_pid()) > before) {
      for (ProcessInfo info; before < newest;) {
        if (read_process(++before, info)) processes.push_back(info);
      }
    }
    if (newest == before) break;  // a lower pid means that the pids wrapped around: read all
  }
  // If a process was read twice, keep the later data.
  std::reverse(processes.begin(), processes.end());
  std::stable_sort(processes.begin(), processes.end(),
                   [](const ProcessInfo& a, const ProcessInfo& b) { return a.pid < b.pid; });
  auto same = [](const ProcessInfo& a, const ProcessInfo& b) { return a.pid == b.pid; };
  processes.erase(std::unique(processes.begin(), processes.end(), same), processes.end());
  return processes;
}

pid_t newest_pid() {
  if (!proc_is_ours()) return 0;
  std::string text;
  if (!read_proc("/proc/loadavg", text)) return 0;
  const char* last = std::strrchr(text.c_str(), ' ');
  return last == nullptr ? 0 : static_cast<pid_t>(std::strtol(last, nullptr, 10));
}

bool list_own_children(std::vector<pid_t>& pids) {
  if (!proc_is_ours()) return false;
  const std::string path = "/proc/self/task/" + std::to_string(syscall(SYS_gettid)) + "/children";
  std::string text;
  if (!read_proc(path, text, SIZE_MAX)) return false;
  const char* at = text.c_str();
  char* end = nullptr;
  for (long pid; (pid = std::strtol(at, &end, 10)) > 0 && end != at; at = end) {
    pids.push_back(static_cast<pid_t>(pid));
  }
  return true;
}

bool signal_process(const ProcessInfo& info, int signal) {
  // A pidfd keeps the process's identity between the check and the signal.
  int fd = static_cast<int>(syscall(SYS_pidfd_open, info.pid, 0u));
  if (fd < 0) return errno == ENOSYS && same_process(info) && kill(info.pid, signal) == 0;
  bool sent = same_process(info) && syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0u) == 0;
  close(fd);
  return sent;
}

std::int64_t birth_tolerance_ms() { return 0; }

int brand_resource() { return RLIMIT_RTTIME; }

bool read_mark(pid_t pid, std::string_view token, std::uint32_t& step) {
  if (!proc_is_ours()) return false;
  return read_brand(pid, token, step) || read_environment_mark(pid, token, step);
}

}  // namespace moonlet
