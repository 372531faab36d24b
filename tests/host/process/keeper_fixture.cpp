#include "tests/host/process/keeper_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "host/base/id.h"
#include "host/process/keeper_log.h"
#include "host/process/tree.h"
#include "tests/catch.h"

namespace moonlet::test {

namespace {

std::string slurp(const std::string& path) {
  // Not by a stream: those throw when a process goes while its file in /proc is read.
  std::string text;
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char buffer[4096];
  ssize_t got;
  while (fd >= 0 && (got = read(fd, buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  if (fd >= 0) close(fd);
  return text;
}

std::int64_t now() { return SystemClock().monotonic_ms(); }

}  // namespace

bool wait_for(const std::function<bool()>& done, int limit_ms) {
  const std::int64_t give_up = now() + limit_ms;
  while (!done()) {
    if (now() >= give_up) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

std::vector<pid_t> processes_with(const std::string& tag) {
  std::vector<pid_t> found;
  DIR* folder = opendir("/proc");
  while (dirent* entry = readdir(folder)) {
    pid_t pid = std::atoi(entry->d_name);
    ProcessInfo info;
    if (pid <= 0 || pid == getpid()) continue;
    if (slurp("/proc/" + std::string(entry->d_name) + "/cmdline").find(tag) == std::string::npos) {
      continue;
    }
    if (read_process(pid, info) && !info.zombie) found.push_back(pid);
  }
  closedir(folder);
  return found;
}

bool soak() {
  const char* wish = std::getenv("MOONLET_SOAK");
  return wish != nullptr && std::string_view(wish) == "1";
}

RunFolder::RunFolder() : tag_("tag-" + random_hex(8)) {
  char name[] = "/tmp/moonlet-run-XXXXXX";
  path_ = mkdtemp(name);
  fd_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

RunFolder::~RunFolder() {
  close(fd_);
  std::filesystem::remove_all(path_);
}

std::string RunFolder::read(const std::string& name) const { return slurp(path_ + "/" + name); }

HostProcess::HostProcess(const std::vector<std::string>& args, bool cgroups) {
  std::vector<char*> argv{const_cast<char*>(MOONLET_KEEPER_PROGRAM)};
  for (const auto& word : args) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  setenv("MOONLET_CGROUPS", cgroups ? "1" : "0", 1);
  pid_ = fork();
  if (pid_ == 0) {
    execv(argv[0], argv.data());
    _exit(9);
  }
  unsetenv("MOONLET_CGROUPS");
}

void HostProcess::end() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

int HostProcess::wait() {
  int status = -1;
  if (pid_ == 0 || !wait_for([&] { return waitpid(pid_, &status, WNOHANG) == pid_; }, 60000)) {
    return -1;
  }
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::uint32_t seed_of_day() {
  const char* text = std::getenv("MOONLET_SEED");
  return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : 20261121u;
}

bool alive(pid_t pid) {
  ProcessInfo info;
  return pid > 0 && read_process(pid, info) && !info.zombie;
}

Run::Run(bool cgroups) {
  KeeperOptions options;
  options.program = MOONLET_KEEPER_PROGRAM;
  options.run_dir_fd = folder.fd();
  options.run_id = "R-007";
  options.cgroups = cgroups;
  auto started = Keeper::start(loop, options);
  REQUIRE(started);
  keeper = std::move(*started);
}

Run::~Run() {
  keeper.reset();
  CHECK(processes_with(folder.tag()).empty());
}

ChildSpec Run::act(const std::string& name, const std::string& argument) const {
  ChildSpec spec;
  spec.step = name;
  spec.argv = {MOONLET_KEEPER_PROGRAM, "act", name, folder.tag()};
  if (!argument.empty()) spec.argv.push_back(argument);
  spec.env = {"PATH=/usr/local/bin:/usr/bin:/bin"};
  for (const char* name_of_options : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    const char* value = std::getenv(name_of_options);
    if (value != nullptr) spec.env.push_back(std::string(name_of_options) + "=" + value);
  }
  spec.cwd.assign(1, '/');
  return spec;
}

const ChildExit& Run::wait(const std::shared_ptr<ChildOperation>& operation) {
  REQUIRE(until([&] { return operation->done(); }, 60000));
  return operation->exit();
}

bool Run::until(const std::function<bool()>& done, int limit_ms) {
  const std::int64_t give_up = now() + limit_ms;
  while (!done()) {
    if (now() >= give_up) return false;
    // Wakes the loop now and then, for conditions that are not its own.
    auto wake = loop.after(5, [] {});
    loop.run_once();
    loop.cancel(wake);
  }
  return true;
}

pid_t Run::guard() const {
  pid_t pid = 0;
  wait_for([&] {
    auto keepers = read_keeper_log(folder.fd());
    if (keepers && !keepers->empty()) pid = keepers->back().record.guard_pid;
    return pid != 0;
  });
  return pid;
}

pid_t Run::worker() const {
  guard();
  auto keepers = read_keeper_log(folder.fd());
  return keepers && !keepers->empty() ? keepers->back().record.worker_pid : 0;
}

}  // namespace moonlet::test
