#include "tests/host/process/keeper_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "host/base/id.h"
#include "host/process/child/tree.h"
#include "host/process/client/requests.h"
#include "host/process/client/sweep.h"
#include "host/process/wire/keeper_log.h"
#include "tests/catch.h"
#include "tests/places.h"

namespace moonlet::test {

namespace {

std::string slurp(const std::string& path) {
  // A stream would throw if the process ends while its file in /proc is read.
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

bool run_until(Loop& loop, const std::function<bool()>& done, int limit_ms) {
  const std::int64_t give_up = now() + limit_ms;
  while (!done()) {
    if (now() >= give_up) return false;
    // Wakes the loop regularly, because `done` may depend on something outside it.
    auto wake = loop.after(5, [] {});
    loop.run_once();
    loop.cancel(wake);
  }
  return true;
}

std::vector<std::string> plain_environment() {
  std::vector<std::string> environment{"PATH=/usr/local/bin:/usr/bin:/bin"};
  for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    const char* value = std::getenv(name);
    if (value != nullptr) environment.push_back(std::string(name) + "=" + value);
  }
  return environment;
}

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
  // A failed test may have left a keeper whose children would never end.
  if (keeper_is_alive(fd_)) (void)keeper_shutdown(fd_);
  close(fd_);
  std::filesystem::remove_all(path_);
}

std::string RunFolder::read(const std::string& name) const { return slurp(path_ + "/" + name); }

HostProcess::HostProcess(const std::vector<std::string>& args, bool cgroups) {
  std::vector<char*> argv{const_cast<char*>(places::kKeeperProgram)};
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

std::uint32_t test_seed() {
  const char* text = std::getenv("MOONLET_SEED");
  return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : 20261121u;
}

bool alive(pid_t pid) {
  ProcessInfo info;
  return pid > 0 && read_process(pid, info) && !info.zombie;
}

KeeperRun::KeeperRun(bool cgroups) {
  KeeperOptions options;
  options.program = places::kKeeperProgram;
  options.run_dir_fd = folder.fd();
  options.run_id = "R-007";
  setenv("MOONLET_CGROUPS", cgroups ? "1" : "0", 1);
  auto started = Keeper::start(loop, options);
  unsetenv("MOONLET_CGROUPS");
  REQUIRE(started);
  keeper = std::move(*started);
}

KeeperRun::~KeeperRun() {
  keeper.reset();
  CHECK(processes_with(folder.tag()).empty());
}

ChildSpec KeeperRun::act(const std::string& name, const std::string& argument) const {
  ChildSpec spec;
  spec.step = name;
  spec.argv = {places::kKeeperProgram, "act", name, folder.tag()};
  if (!argument.empty()) spec.argv.push_back(argument);
  spec.env = plain_environment();
  spec.cwd.assign(1, '/');
  return spec;
}

const ChildExit& KeeperRun::wait(const std::shared_ptr<ChildOperation>& operation) {
  REQUIRE(until([&] { return operation->done(); }, 60000));
  return operation->exit();
}

bool KeeperRun::until(const std::function<bool()>& done, int limit_ms) {
  return run_until(loop, done, limit_ms);
}

pid_t KeeperRun::guard() const {
  pid_t pid = 0;
  wait_for([&] {
    auto keepers = read_keeper_log(folder.fd());
    if (keepers && !keepers->empty()) pid = keepers->back().record.guard_pid;
    return pid != 0;
  });
  return pid;
}

pid_t KeeperRun::worker() const {
  guard();
  auto keepers = read_keeper_log(folder.fd());
  return keepers && !keepers->empty() ? keepers->back().record.worker_pid : 0;
}

// --- hosts that follow each other

std::vector<std::string> driver(const RunFolder& folder, std::uint64_t generation, const char* how,
                                const std::vector<std::string>& children) {
  std::vector<std::string> args{"drive", folder.path(), folder.tag(), std::to_string(generation),
                                how};
  args.insert(args.end(), children.begin(), children.end());
  return args;
}

std::string report_of(const RunFolder& folder, std::uint64_t generation, pid_t pid) {
  return folder.read("host-" + std::to_string(generation) + "-" + std::to_string(pid));
}

KeeperRecord record_of(const RunFolder& folder) {
  auto keepers = read_keeper_log(folder.fd(), true);
  return keepers && !keepers->empty() ? keepers->back().record : KeeperRecord{};
}

KeptAttempt kept(const RunFolder& folder, const std::string& attempt) {
  auto found = find_attempt(folder.fd(), attempt.substr(0, attempt.find('@')), attempt);
  REQUIRE(found);
  return *found;
}

bool acting(const RunFolder& folder, const std::string& name) {
  // In the command line, the tag follows the name.
  return !processes_with("act" + std::string(1, '\0') + name + std::string(1, '\0') + folder.tag())
              .empty();
}

bool nobody_left(const RunFolder& folder) {
  return wait_for([&] { return processes_with(folder.tag()).empty(); }, 2000);
}

bool keeper_gone(const RunFolder& folder) {
  return wait_for([&] { return !keeper_is_alive(folder.fd()); });
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

KeeperOptions Successor::options(std::uint64_t generation) const {
  KeeperOptions options;
  options.program = places::kKeeperProgram;
  options.run_dir_fd = folder_.fd();
  options.run_id = "R-001";
  options.generation = generation;
  return options;
}

void Successor::adopt(std::uint64_t generation) {
  auto adopted = ask(generation);
  if (!adopted) FAIL(adopted.error().message);
  keeper = std::move(*adopted);
  REQUIRE(keeper);
}

void Successor::start(std::uint64_t generation) {
  auto started = Keeper::start(loop, options(generation));
  REQUIRE(started);
  keeper = std::move(*started);
}

std::shared_ptr<ChildOperation> Successor::adopted(const std::string& attempt) const {
  for (const auto& child : keeper->adopted()) {
    if (child.attempt == attempt) return child.operation;
  }
  return nullptr;
}

ChildSpec Successor::act(const std::string& name, const std::string& argument,
                         bool outlives) const {
  ChildSpec spec;
  spec.step = name;
  spec.attempt = name + "@1";
  spec.argv = {places::kKeeperProgram, "act", name, folder_.tag(), argument};
  spec.env = plain_environment();
  spec.cwd.assign(1, '/');
  spec.outlives_host = outlives;
  spec.durable = true;
  return spec;
}

bool Successor::until(const std::function<bool()>& done, int limit_ms) {
  return run_until(loop, done, limit_ms);
}

const ChildExit& Successor::wait(const std::shared_ptr<ChildOperation>& operation) {
  REQUIRE(operation);
  REQUIRE(until([&] { return operation->done(); }, 60000));
  return operation->exit();
}

ChildSpec shell(const std::string& script) {
  ChildSpec spec;
  spec.step = "shell";
  spec.argv = {"sh", "-c", script};
  spec.env = {"PATH=/usr/bin:/bin"};
  spec.cwd.assign(1, '/');
  return spec;
}

}  // namespace moonlet::test
