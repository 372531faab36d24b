#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <sstream>
#include <vector>

#include "host/process/child/cgroup.h"

#if defined(__SANITIZE_THREAD__)
#define MOONLET_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MOONLET_TSAN 1
#endif
#endif

namespace moonlet {

namespace {

constexpr long kCgroup2Magic = 0x63677270;
constexpr std::time_t kOldSeconds = 60;

bool is_cgroup2(const std::string& path) {
  struct statfs info {};
  return statfs(path.c_str(), &info) == 0 && static_cast<long>(info.f_type) == kCgroup2Magic;
}

// Finds where cgroup v2 is mounted, and the path of the cgroup that is the root of this mount.
bool find_mount(std::string& mount, std::string& root) {
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::size_t dash = line.find(" - ");
    if (dash == std::string::npos || line.compare(dash + 3, 8, "cgroup2 ") != 0) continue;
    std::istringstream words(line);
    std::string id, parent, device;
    if (words >> id >> parent >> device >> root >> mount) return true;
  }
  return false;
}

std::string group_of_self() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, 3, "0::") == 0) return line.substr(3);
  }
  return {};
}

bool write_word(const std::string& path, const char* word, std::size_t size) {
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool written = write(fd, word, size) == static_cast<ssize_t>(size);
  close(fd);
  return written;
}

std::vector<std::string> groups_in(const std::string& cgroup) {
  std::vector<std::string> names;
  DIR* folder = opendir(cgroup.c_str());
  if (folder == nullptr) return names;
  while (dirent* entry = readdir(folder)) {
    std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.push_back(std::move(name));
  }
  closedir(folder);
  return names;
}

// Removes old, empty cgroups. They have no owner, because a keeper moves its worker into a new
// cgroup immediately.
void remove_old_groups(const std::string& parent) {
  for (const auto& name : groups_in(parent)) {
    std::string path = parent + "/" + name;
    struct stat info {};
    if (name.compare(0, 8, "moonlet-") != 0 || stat(path.c_str(), &info) != 0 ||
        info.st_mtime > std::time(nullptr) - kOldSeconds) {
      continue;
    }
    std::ifstream events(path + "/cgroup.events");
    std::string word;
    int populated = 1;
    if (events >> word >> populated && word == "populated" && populated == 0) remove_cgroup(path);
  }
}

// Kills the processes one by one, because kernels before 5.14 have no cgroup.kill.
bool kill_members(const std::string& cgroup) {
  for (const auto& name : groups_in(cgroup)) kill_members(cgroup + "/" + name);
  std::ifstream file(cgroup + "/cgroup.procs");
  if (!file) return false;
  for (long pid; file >> pid;) {
    if (pid > 1 && pid != getpid()) kill(static_cast<pid_t>(pid), SIGKILL);
  }
  return true;
}

}  // namespace

std::string own_cgroup() {
  std::string mount, root, group = group_of_self();
  if (group.empty() || !find_mount(mount, root)) return {};
  if (root != "/") {
    // A container's mount shows only a part of the hierarchy, so other cgroups have no path.
    if (group.compare(0, root.size(), root) != 0) return {};
    group.erase(0, root.size());
  }
  std::string path = mount + (group == "/" ? "" : group);
  return is_cgroup2(path) && access((path + "/cgroup.procs").c_str(), W_OK) == 0 ? path : "";
}

std::string make_run_cgroup(std::string_view token) {
  std::string parent = own_cgroup();
  if (parent.empty()) return {};
  remove_old_groups(parent);
  std::string path = parent + "/moonlet-" + std::string(token);
  return mkdir(path.c_str(), 0755) == 0 ? path : "";
}

std::string make_step_cgroup(const std::string& run_cgroup, unsigned step) {
  if (run_cgroup.empty()) return {};
  std::string path = run_cgroup + "/step-" + std::to_string(step);
  return mkdir(path.c_str(), 0755) == 0 ? path : "";
}

int open_cgroup(const std::string& cgroup) {
  return open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

pid_t fork_into_cgroup(const std::string& cgroup) {
#ifdef MOONLET_TSAN
  // Do not fork here under ThreadSanitizer, because its runtime would miss the fork.
  (void)cgroup;
  return -1;
#else
  int fd = open_cgroup(cgroup);
  if (fd < 0) return -1;
  // Joining a cgroup after fork() costs up to 10 ms, because the kernel waits for all processors.
  clone_args args{};
  args.flags = std::uint64_t{1} << 33;  // CLONE_INTO_CGROUP
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<std::uint64_t>(fd);
  auto pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  close(fd);
  return pid;
#endif
}

bool join_cgroup(const std::string& cgroup) { return write_word(cgroup + "/cgroup.procs", "0", 1); }

bool kill_cgroup(const std::string& cgroup) {
  if (cgroup.empty()) return false;
  return write_word(cgroup + "/cgroup.kill", "1", 1) || kill_members(cgroup);
}

bool remove_cgroup(const std::string& cgroup, int wait_ms) {
  if (cgroup.empty()) return true;
  for (;; --wait_ms) {
    if (rmdir(cgroup.c_str()) == 0 || errno == ENOENT) return true;
    for (const auto& name : groups_in(cgroup)) remove_cgroup(cgroup + "/" + name);
    if (rmdir(cgroup.c_str()) == 0 || errno == ENOENT) return true;
    if (wait_ms <= 0) return false;
    poll(nullptr, 0, 1);
  }
}

bool is_run_cgroup(const std::string& cgroup, std::string_view token) {
  std::size_t slash = cgroup.rfind('/');
  return !token.empty() && slash != std::string::npos &&
         cgroup.substr(slash + 1) == "moonlet-" + std::string(token) &&
         cgroup.find("/../") == std::string::npos && is_cgroup2(cgroup);
}

}  // namespace moonlet
