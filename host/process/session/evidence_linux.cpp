#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_set>

#include "host/base/text.h"
#include "host/process/child/proc_linux.h"
#include "host/process/child/tree.h"
#include "host/process/session/evidence.h"

namespace moonlet {

namespace {

// Returns the number after `name` in a text of "name: number" lines.
std::int64_t number_after(const std::string& text, const char* name) {
  const auto at = text.find(name);
  return at == std::string::npos ? 0 : std::atoll(text.c_str() + at + std::string(name).size());
}

struct Stat {
  char state = '?';
  std::int64_t cpu_ms = 0;
};

Stat read_stat(pid_t pid) {
  const std::string text = read_proc(pid, "stat");
  const auto end = text.rfind(')');
  Stat stat;
  if (end == std::string::npos) return stat;
  unsigned long long user = 0, system = 0;
  // Fields of /proc/PID/stat: state ppid pgrp session tty tpgid flags minflt … utime stime
  std::sscanf(text.c_str() + end + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
              &stat.state, &user, &system);
  static const long ticks = std::max(sysconf(_SC_CLK_TCK), 1L);
  stat.cpu_ms =
      static_cast<std::int64_t>((user + system) * 1000 / static_cast<unsigned long>(ticks));
  return stat;
}

std::string name_of(pid_t pid) {
  std::string name = read_proc(pid, "comm");
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

bool reads_terminal(pid_t pid) {
  if (read_proc(pid, "wchan").find("n_tty_read") != std::string::npos) return true;
  // The kernel may hide wchan but show /proc/PID/syscall. While a read() blocks, that file has the
  // number of the call, " 0x" and the descriptor.
  const std::string call = read_proc(pid, "syscall");
  const std::string reads = std::to_string(SYS_read) + " ";
  if (call.rfind(reads + "0x", 0) != 0) return false;
  const std::string link = "/proc/" + std::to_string(pid) + "/fd/" +
                           std::to_string(std::strtol(call.c_str() + reads.size(), nullptr, 16));
  char target[64];
  const ssize_t size = readlink(link.c_str(), target, sizeof target);
  const std::string name(target, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return name == "/dev/tty" || name.rfind("/dev/pts/", 0) == 0;
}

// Adds the children of all threads of `pid`.
void add_children(pid_t pid, std::vector<pid_t>& pids) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  DIR* threads = opendir(folder.c_str());
  if (threads == nullptr) return;
  while (const dirent* thread = readdir(threads)) {
    if (thread->d_name[0] == '.') continue;
    std::FILE* file = std::fopen((folder + "/" + thread->d_name + "/children").c_str(), "re");
    if (file == nullptr) continue;  // the thread has ended
    for (long child = 0; std::fscanf(file, "%ld", &child) == 1;) {
      pids.push_back(static_cast<pid_t>(child));
    }
    std::fclose(file);
  }
  closedir(threads);
}

// Finds the processes below `main` and the orphans of its session.
// Orphans are children of this process or of its parent, the guard.
// A scan of all processes would cost milliseconds if many sessions run.
// Returns false if the kernel does not list children.
bool find_members(pid_t main, std::vector<ProcessInfo>& members) {
  std::vector<pid_t> orphans, pids{main};
  if (!list_own_children(orphans)) return false;
  add_children(getppid(), orphans);
  ProcessInfo info;
  for (const pid_t pid : orphans) {
    if (pid != main && read_process(pid, info) && info.sid == main) pids.push_back(pid);
  }
  for (std::size_t i = 0; i < pids.size(); ++i) {
    if (!read_process(pids[i], info)) continue;
    if (!info.zombie) members.push_back(info);
    add_children(pids[i], pids);
  }
  return true;
}

// Finds the processes below `main` by a scan of all processes.
std::vector<ProcessInfo> members_of(const std::vector<ProcessInfo>& all, pid_t main) {
  std::unordered_set<pid_t> tree{main};
  for (bool more = true; more;) {
    more = false;
    for (const ProcessInfo& info : all) {
      const bool belongs = info.sid == main || tree.count(info.ppid) != 0;
      if (belongs && tree.insert(info.pid).second) more = true;
    }
  }
  std::vector<ProcessInfo> members;
  for (const ProcessInfo& info : all) {
    if (tree.count(info.pid) != 0 && !info.zombie) members.push_back(info);
  }
  return members;
}

}  // namespace

nlohmann::json process_facts(pid_t main, pid_t group) {
  std::vector<ProcessInfo> members;
  if (!find_members(main, members)) members = members_of(list_processes(), main);
  std::int64_t cpu = 0, read = 0, written = 0, running = 0;
  bool blocked = false;
  std::string foreground;
  std::int64_t began = 0;
  const ProcessInfo* newest = nullptr;
  for (const ProcessInfo& info : members) {
    if (info.pid == main) began = info.born_ms;
    if (info.pid != main && (newest == nullptr || info.born_ms > newest->born_ms)) newest = &info;
    const Stat stat = read_stat(info.pid);
    cpu += stat.cpu_ms;
    running += stat.state == 'R' || stat.state == 'D' ? 1 : 0;
    const std::string io = read_proc(info.pid, "io");
    read += number_after(io, "rchar:");
    written += number_after(io, "wchar:");
    if (info.pgid != group) continue;
    blocked = blocked || reads_terminal(info.pid);
    if (foreground.empty() || info.pid == group) {
      foreground = name_of(info.pid);
    }
  }
  nlohmann::json facts{{"count", members.size()},  {"cpu_ms", cpu},
                       {"read_bytes", read},       {"written_bytes", written},
                       {"running", running},       {"foreground", printable(foreground, 60)},
                       {"reads_terminal", blocked}};
  if (newest != nullptr) {
    facts["newest"] = {{"name", printable(name_of(newest->pid), 60)},
                       {"age_ms", boot_clock_ms() - newest->born_ms},
                       {"after_ms", newest->born_ms - began}};
  }
  return facts;
}

}  // namespace moonlet
