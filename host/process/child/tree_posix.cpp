// Without /proc, a step's tree is its process group plus the descendants that `ps` lists.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>

#include "host/process/child/tree.h"

namespace moonlet {

std::int64_t boot_clock_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

std::string boot_id() { return {}; }

std::vector<ProcessInfo> list_processes() {
  std::vector<ProcessInfo> processes;
  // etime counts whole seconds, so born_ms distinguishes only processes that are seconds apart.
  FILE* ps = popen("ps -A -o pid= -o ppid= -o pgid= -o state= -o etime=", "r");
  if (ps == nullptr) return processes;
  std::int64_t now = boot_clock_ms();
  char line[256];
  while (std::fgets(line, sizeof line, ps) != nullptr) {
    int pid = 0, ppid = 0, pgid = 0;
    char state[16], elapsed[32];
    if (std::sscanf(line, "%d %d %d %15s %31s", &pid, &ppid, &pgid, state, elapsed) != 5) continue;
    std::int64_t days = 0, seconds = 0, part = 0;
    for (const char* c = elapsed; *c != '\0'; ++c) {
      if (*c >= '0' && *c <= '9') {
        part = part * 10 + (*c - '0');
      } else if (*c == '-') {
        days = part;
        part = 0;
      } else if (*c == ':') {
        seconds = (seconds + part) * 60;
        part = 0;
      }
    }
    ProcessInfo info;
    info.pid = pid;
    info.ppid = ppid;
    info.pgid = pgid;
    const pid_t session = getsid(pid);
    info.sid = session > 0 ? session : pgid;
    info.born_ms = now - (days * 86400 + seconds + part) * 1000;
    info.zombie = state[0] == 'Z';
    processes.push_back(info);
  }
  pclose(ps);
  return processes;
}

bool read_process(pid_t pid, ProcessInfo& info) {
  for (const auto& process : list_processes()) {
    if (process.pid != pid) continue;
    info = process;
    return true;
  }
  return false;
}

bool may_be_confined_elsewhere(pid_t) { return false; }
pid_t newest_pid() { return 0; }
bool list_own_children(std::vector<pid_t>&) { return false; }
bool signal_process(const ProcessInfo& info, int signal) {
  return same_process(info) && kill(info.pid, signal) == 0;
}

std::int64_t birth_tolerance_ms() { return 2000; }
int brand_resource() { return -1; }
bool read_mark(pid_t, std::string_view, std::uint32_t&) { return false; }

}  // namespace moonlet
