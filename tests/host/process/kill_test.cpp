// Tests kill -9 of the host, the worker, the guard, or all of them, at random moments.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <filesystem>

#include <cstdlib>
#include <random>

#include "host/process/child/cgroup.h"
#include "host/process/client/sweep.h"
#include "host/process/wire/keeper_log.h"
#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;
using namespace moonlet::test;
using Why = ChildExit::Why;

namespace {

class Host {
 public:
  Host(const RunFolder& folder, int count, bool cgroups)
      : folder_(folder),
        process_({"host", folder.path(), folder.tag(), std::to_string(count)}, cgroups) {}

  pid_t pid() const { return process_.pid(); }
  pid_t guard() const { return record().guard_pid; }
  pid_t worker() const { return record().worker_pid; }
  void end() { process_.end(); }

 private:
  KeeperRecord record() const {
    auto keepers = read_keeper_log(folder_.fd());
    return keepers && !keepers->empty() ? keepers->back().record : KeeperRecord{};
  }

  const RunFolder& folder_;
  HostProcess process_;
};

// The command line of the host contains the tag too.
bool nobody_but(const RunFolder& folder, pid_t host) {
  for (pid_t pid : processes_with(folder.tag())) {
    if (pid != host) return false;
  }
  return true;
}

void check_log(const RunFolder& folder) {
  auto keepers = read_keeper_log(folder.fd());
  REQUIRE(keepers);
  for (const auto& keeper : *keepers) {
    CHECK(keeper.ended);
    for (const auto& [number, child] : keeper.children) {
      CHECK(child.state != LoggedChild::State::kStarted);
      CHECK(child.state != LoggedChild::State::kReaped);
    }
    if (!keeper.record.cgroup.empty()) CHECK(access(keeper.record.cgroup.c_str(), F_OK) != 0);
  }
}

}  // namespace

TEST_CASE("kill -9 of any part at any moment leaves no process two seconds later",
          "[process][linux]") {
  std::mt19937 random(test_seed());
  const int rounds = soak() ? 200 : 10;
  for (int round = 0; round < rounds; ++round) {
    const int victims = round % 5;  // 0 host, 1 worker, 2 guard, 3 all, 4 host and worker
    const bool cgroups = random() % 2 == 0;
    const int count = 1 + static_cast<int>(random() % 12);
    const int delay_ms = static_cast<int>(random() % (random() % 2 == 0 ? 15 : 150));
    INFO("seed " << test_seed() << " round " << round << " victims " << victims << " cgroups "
                 << cgroups << " count " << count << " delay " << delay_ms);
    RunFolder folder;
    Host host(folder, count, cgroups);
    REQUIRE(wait_for([&] { return host.worker() != 0; }));
    poll(nullptr, 0, delay_ms);
    const pid_t guard = host.guard(), worker = host.worker();
    auto kill_them = [&](pid_t first, pid_t second, pid_t third) {
      for (pid_t pid : {first, second, third}) {
        if (pid > 0) kill(pid, SIGKILL);
      }
    };
    if (victims == 0) kill_them(host.pid(), 0, 0);
    if (victims == 1) kill_them(worker, 0, 0);
    if (victims == 2) kill_them(guard, 0, 0);
    if (victims == 3) kill_them(host.pid(), guard, worker);
    if (victims == 4) kill_them(worker, host.pid(), 0);
    if (victims == 3) {
      REQUIRE(wait_for([&] { return !alive(guard) && !alive(worker); }));
      auto swept = sweep(folder.fd());
      REQUIRE(swept);
      CHECK(swept->left == 0);
      CHECK(list_live(folder.fd())->empty());
    }
    const bool gone = wait_for([&] { return nobody_but(folder, host.pid()); }, 2000);
    CHECK(gone);
    CHECK(wait_for([&] { return !alive(guard) && !alive(worker); }, 2000));
    CHECK(wait_for([&] { return !keeper_is_alive(folder.fd()); }, 2000));
    host.end();
    // After a sweep no process is left, and every start in the log has an end.
    REQUIRE(sweep(folder.fd()));
    check_log(folder);
    auto again = sweep(folder.fd());
    REQUIRE(again);
    CHECK(again->killed.empty());
    CHECK(again->lost == 0);
  }
}

TEST_CASE("children of a killed worker complete as lost, once their processes are gone",
          "[process][linux]") {
  KeeperRun run;
  auto first = run.spawn(run.act("family"));
  auto second = run.spawn(run.act("daemon_bare"));
  REQUIRE(run.until([&] { return processes_with(run.folder.tag()).size() >= 3; }));
  kill(run.worker(), SIGKILL);
  CHECK(run.wait(first).why == Why::kLost);
  CHECK(processes_with(run.folder.tag()).empty());
  CHECK(first->exit().error.kind == ErrorKind::kLost);
  CHECK(run.run(run.act("rest")).why == Why::kNotStarted);
  run.wait(second);
}

TEST_CASE("guard and worker killed together: the host sweeps by itself", "[process][linux]") {
  const bool cgroups = GENERATE(true, false);
  KeeperRun run(cgroups);
  auto operation = run.spawn(run.act("family"));
  REQUIRE(run.until([&] { return processes_with(run.folder.tag()).size() == 3; }));
  const pid_t guard = run.guard(), worker = run.worker();
  // A running guard would clean up after its worker, and a running worker after its guard, so the
  // guard is stopped before both are killed.
  kill(guard, SIGSTOP);
  siginfo_t stopped = {};
  REQUIRE(waitid(P_PID, static_cast<id_t>(guard), &stopped, WSTOPPED) == 0);
  kill(worker, SIGKILL);
  kill(guard, SIGKILL);
  CHECK(run.wait(operation).why == Why::kLost);
  CHECK(processes_with(run.folder.tag()).empty());
  check_log(run.folder);
}

TEST_CASE("a sweep beside a living keeper is refused, a list is not", "[process][linux]") {
  KeeperRun run;
  auto operation = run.spawn(run.act("family"));
  std::vector<LiveProcess> live;
  REQUIRE(run.until([&] {
    auto listed = list_live(run.folder.fd());
    if (listed) live = *listed;
    return live.size() == 3 && operation->pid() != 0;  // the child, its daemon and its own child
  }));
  CHECK(keeper_is_alive(run.folder.fd()));
  auto swept = sweep(run.folder.fd(), 0);
  REQUIRE_FALSE(swept);
  CHECK(swept.error().kind == ErrorKind::kDenied);
  CHECK(live.front().main);
  CHECK(live.front().info.pid == operation->pid());
  for (const auto& process : live) {
    CHECK(process.record.step == "family");
    CHECK(process.record.number == 1);
    CHECK(process.age_ms >= 0);
  }
  CHECK_FALSE(live[1].main);
  operation->cancel();
}

TEST_CASE("a sweep touches no process whose start time differs", "[process][linux]") {
  RunFolder folder;
  // The log claims processes of others: init, and a child of this test, with a start time in 1970.
  pid_t bystander = fork();
  if (bystander == 0) {
    for (;;) pause();
  }
  KeeperRecord record;
  record.token = "0123456789abcdef";
  record.boot_id = boot_id();
  record.cgroup = "/sys/fs/cgroup";
  record.guard_pid = 1;
  std::string log = keeper_line(record);
  int number = 1;
  for (pid_t pid : {pid_t{1}, pid_t{0}, pid_t{-1}, getpid(), bystander}) {
    StartLine line = start_line(static_cast<std::uint32_t>(number++), "forged", "", 5, 5, 0);
    log += line.prefix + std::to_string(pid) + line.suffix;
  }
  int fd = openat(folder.fd(), kKeeperLogName, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(write(fd, log.data(), log.size()) == static_cast<ssize_t>(log.size()));
  close(fd);
  auto swept = sweep(folder.fd());
  REQUIRE(swept);
  CHECK(swept->killed.empty());
  CHECK(swept->lost == 5);
  CHECK(alive(bystander));
  kill(bystander, SIGKILL);
  waitpid(bystander, nullptr, 0);
}

TEST_CASE("a copy of a log names no process to sweep", "[process][linux]") {
  RunFolder folder, copy;
  Host host(folder, 2, false);
  REQUIRE(wait_for([&] { return list_live(folder.fd())->size() >= 2; }));
  std::filesystem::copy_file(folder.path() + "/" + kKeeperLogName,
                             copy.path() + "/" + kKeeperLogName);
  CHECK(keeper_log_is_copy(copy.fd()));
  CHECK_FALSE(keeper_log_is_copy(folder.fd()));
  CHECK(list_live(copy.fd())->empty());
  auto swept = sweep(copy.fd());
  REQUIRE(swept);
  CHECK(swept->killed.empty());
  CHECK(list_live(folder.fd())->size() >= 2);
  CHECK(alive(host.worker()));
}

TEST_CASE("a directory without a keeper has nothing to sweep and stays as it is",
          "[process][linux]") {
  RunFolder folder;
  auto swept = sweep(folder.fd());
  REQUIRE(swept);
  CHECK(swept->killed.empty());
  CHECK(list_live(folder.fd())->empty());
  CHECK(faccessat(folder.fd(), kKeeperLogName, F_OK, 0) != 0);
}
