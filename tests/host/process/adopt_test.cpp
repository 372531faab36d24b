// Tests a keeper that outlives its host, and the next host, which adopts it.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "host/process/client/requests.h"
#include "host/process/client/sweep.h"
#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;
using namespace moonlet::test;
using Why = ChildExit::Why;
using State = KeptAttempt::State;

namespace {

// Returns the CPU time that a process has used, in clock ticks.
long ticks_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream rest(text.substr(text.rfind(')') + 2));
  std::string word;
  long user = 0, system = 0;
  for (int i = 0; i < 11; ++i) rest >> word;
  rest >> user >> system;
  return user + system;
}

}  // namespace

TEST_CASE("a killed host's children that may outlive it do, and the next host has them",
          "[process][linux]") {
  const bool cgroups = GENERATE(true, false);
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start",
                          {"+ticks=150", "+rest", "family", "stubborn", "+bill=/dev/null:1"}),
                   cgroups);
  REQUIRE(wait_for([&] {
    return processes_with(folder.tag()).size() >= 1 + 2 + 3 + 1 && acting(folder, "stubborn") &&
           kept(folder, "bill@5").state == State::kExited;
  }));
  host.end();
  REQUIRE(wait_for([&] { return !acting(folder, "family") && !acting(folder, "stubborn"); }, 2000));
  CHECK(acting(folder, "rest"));
  CHECK(keeper_is_alive(folder.fd()));
  auto refused = sweep(folder.fd(), 0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::kDenied);
  CHECK(acting(folder, "rest"));
  CHECK(kept(folder, "rest@2").state == State::kRunning);
  CHECK(wait_for([&] { return kept(folder, "family@3").state == State::kExited; }));

  Successor next(folder);
  next.adopt(2);
  CHECK(next.keeper->token() == record_of(folder).token);
  auto ticks = next.adopted("ticks@1"), rest = next.adopted("rest@2");
  REQUIRE(ticks);
  REQUIRE(rest);
  CHECK(rest->pid() > 0);
  // The exit of a child that ended with its host gives this reason.
  auto family = next.adopted("family@3");
  REQUIRE(family);
  CHECK(next.wait(family).why == Why::kCancelled);
  CHECK(family->exit().error.message == "ended because its host was gone");
  // The first host saw this exit, so it is not reported again.
  CHECK_FALSE(next.adopted("bill@5"));

  const ChildExit& exit = next.wait(ticks);
  CHECK(exit.why == Why::kExited);
  CHECK(exit.code == 7);
  CHECK(exit.out.total == 750);
  CHECK(exit.err.text.size() == 750);
  CHECK(lines(folder.read("ticks@1.out")) == 150);

  // The new host starts its own child, with a descriptor as stdin and captured output.
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  REQUIRE(write(ends[1], "typed", 5) == 5);
  close(ends[1]);
  ChildSpec spec = next.act("cat", "", false);
  spec.argv = {"cat"};
  spec.stdin_fd = ends[0];
  auto cat = next.keeper->spawn(spec);
  close(ends[0]);
  CHECK(cat->number() > 5);
  CHECK(next.wait(cat).out.text == "typed");

  rest->cancel();
  CHECK(next.wait(rest).why == Why::kCancelled);
  CHECK(next.keeper->live() == 0);
  next.keeper.reset();
  CHECK_FALSE(keeper_is_alive(folder.fd()));
  CHECK(nobody_left(folder));
  CHECK(read_keeper_log(folder.fd())->back().ended);
}

TEST_CASE("exits that no host heard of wait for the next, and are on record", "[process][linux]") {
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+ticks=80", "+rest"}));
  REQUIRE(wait_for([&] { return acting(folder, "rest") && acting(folder, "ticks"); }));
  host.end();
  REQUIRE(wait_for([&] { return kept(folder, "ticks@1").state == State::kExited; }));
  Successor next(folder);
  next.adopt(2);
  auto ticks = next.adopted("ticks@1");
  REQUIRE(ticks);
  const ChildExit exit = next.wait(ticks);
  CHECK(exit.code == 7);
  CHECK(exit.err.text.size() == 400);
  const ChildExit logged = kept(folder, "ticks@1").exit;
  CHECK(logged.why == Why::kExited);
  CHECK(logged.code == 7);
  CHECK(logged.out.total == 400);
  CHECK(logged.out.kept == 400);
  CHECK(logged.err.total == 400);
  CHECK(logged.err.text.empty());
  CHECK(logged.duration_ms == exit.duration_ms);
  CHECK(logged.pid == exit.pid);
  CHECK(logged.max_rss_kb == exit.max_rss_kb);
  next.keeper.reset();
  CHECK(nobody_left(folder));
  // A host that shuts down ends every child.
  CHECK(kept(folder, "rest@2").exit.why == Why::kCancelled);
}

TEST_CASE("the keeper ends with its last child and cannot be adopted then", "[process][linux]") {
  RunFolder folder;
  Successor next(folder);
  auto none = next.ask(1);
  REQUIRE(none);
  CHECK(*none == nullptr);
  HostProcess host(driver(folder, 1, "start", {"+ticks=60", "stubborn"}));
  REQUIRE(wait_for([&] { return acting(folder, "ticks") && acting(folder, "stubborn"); }));
  host.end();
  REQUIRE(keeper_gone(folder));
  CHECK(nobody_left(folder));
  auto adopted = next.ask(2);
  REQUIRE(adopted);
  CHECK(*adopted == nullptr);
  CHECK(kept(folder, "ticks@1").exit.code == 7);
  CHECK(kept(folder, "stubborn@2").exit.why == Why::kCancelled);
  CHECK(kept(folder, "ticks@3").state == State::kNotStarted);
  CHECK(lines(folder.read("ticks@1.out")) == 60);
  CHECK(read_keeper_log(folder.fd())->back().ended);
  // The next host can start a new keeper at once.
  next.start(2);
  auto again = next.keeper->spawn(next.act("ticks", "1", true));
  CHECK(next.wait(again).code == 7);
}

TEST_CASE("a host that ends in order ends the children that may outlive it", "[process][linux]") {
  RunFolder folder;
  Successor host(folder);
  host.start(1);
  auto stubborn = host.keeper->spawn(host.act("stubborn", "", true));
  auto family = host.keeper->spawn(host.act("family", "", true));
  REQUIRE(host.until([&] { return processes_with(folder.tag()).size() >= 4; }));
  host.keeper.reset();
  CHECK(stubborn->exit().why == Why::kCancelled);
  CHECK(family->exit().why == Why::kCancelled);
  CHECK(processes_with(folder.tag()).empty());
  CHECK_FALSE(keeper_is_alive(folder.fd()));
}

TEST_CASE("children that ended without a host are kept in memory within bounds",
          "[process][linux]") {
  RunFolder folder;
  pid_t pid = fork();
  if (pid == 0) {
    Successor host(folder);
    auto started = Keeper::start(host.loop, host.options(1));
    if (!started) _exit(9);
    std::vector<std::shared_ptr<ChildOperation>> operations;
    for (int i = 1; i <= 3; ++i) {
      ChildSpec spec = host.act("rest", "", true);
      if (i < 3) {
        spec.argv = {"sh", "-c", "sleep 0.6; head -c 10000000 /dev/zero"};
        spec.out = OutputSpec::to_inline(30 << 20);
      }
      spec.attempt = "rest@" + std::to_string(i);
      operations.push_back((*started)->spawn(spec));
    }
    while (std::any_of(operations.begin(), operations.end(),
                       [](const auto& operation) { return operation->pid() == 0; })) {
      host.loop.run_once();
    }
    kill(getpid(), SIGKILL);
  }
  waitpid(pid, nullptr, 0);
  REQUIRE(wait_for([&] {
    return kept(folder, "rest@1").state == State::kExited &&
           kept(folder, "rest@2").state == State::kExited;
  }));
  auto live = keeper_live(folder.fd());
  REQUIRE(live);
  REQUIRE(live->size() == 1);
  CHECK(live->front().attempt == "rest@3");
  Successor next(folder);
  next.adopt(2);
  int whole = 0, forgotten = 0;
  for (const char* attempt : {"rest@1", "rest@2"}) {
    const ChildExit& exit = next.wait(next.adopted(attempt));
    CHECK(exit.success());
    CHECK(exit.out.total == 10000000);
    whole += exit.out.text.size() == 10000000 && !exit.out.cut ? 1 : 0;
    forgotten += exit.out.text.empty() && exit.out.cut && exit.out.kept == 0 ? 1 : 0;
    CHECK(kept(folder, attempt).exit.out.kept == 10000000);
  }
  CHECK(whole == 1);
  CHECK(forgotten == 1);
}

TEST_CASE("a keeper without a host can be asked to end", "[process][linux]") {
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+rest", "+family"}));
  REQUIRE(wait_for([&] { return processes_with(folder.tag()).size() >= 5; }));
  host.end();
  CHECK(keeper_shutdown(folder.fd()));
  Successor next(folder);
  // adopt() waits until the old keeper is gone.
  auto adopted = next.ask(2);
  if (!adopted) FAIL(adopted.error().message);
  CHECK(*adopted == nullptr);
  CHECK(processes_with(folder.tag()).empty());
  CHECK(kept(folder, "rest@1").exit.why == Why::kCancelled);
  CHECK(kept(folder, "family@2").exit.why == Why::kCancelled);
}

TEST_CASE("limits hold without a host", "[process][linux]") {
  RunFolder folder;
  pid_t pid = fork();
  if (pid == 0) {
    Successor host(folder);
    auto started = Keeper::start(host.loop, host.options(1));
    if (!started) _exit(9);
    ChildSpec wall = host.act("rest", "", true), idle = host.act("stubborn", "", true);
    wall.wall_ms = 700;
    idle.idle_ms = 500;
    idle.grace_ms = 50;
    auto first = (*started)->spawn(wall), second = (*started)->spawn(idle);
    while (first->pid() == 0 || second->pid() == 0) host.loop.run_once();
    kill(getpid(), SIGKILL);
  }
  waitpid(pid, nullptr, 0);
  REQUIRE(keeper_gone(folder));
  CHECK(nobody_left(folder));
  CHECK(kept(folder, "rest@1").exit.why == Why::kWall);
  CHECK(kept(folder, "stubborn@1").exit.why == Why::kIdle);
}

TEST_CASE("worker, guard or both are killed while no host is there", "[process][linux]") {
  const int victims = GENERATE(0, 1, 2);  // 0 worker, 1 guard, 2 both
  const bool cgroups = GENERATE(true, false);
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+family", "+holder_daemon", "+ticks=1000"}),
                   cgroups);
  REQUIRE(wait_for([&] { return processes_with(folder.tag()).size() >= 1 + 3 + 1 + 1; }));
  host.end();
  const KeeperRecord record = record_of(folder);
  if (victims != 1) kill(record.worker_pid, SIGKILL);
  if (victims != 0) kill(record.guard_pid, SIGKILL);
  Successor next(folder);
  auto adopted = next.ask(2);
  if (!adopted) FAIL(adopted.error().message);
  if (*adopted != nullptr) {
    // The worker has not noticed the end of its guard yet.
    CHECK(victims == 1);
    next.keeper = std::move(*adopted);
    CHECK(next.wait(next.adopted("ticks@3")).why == Why::kCancelled);
    next.keeper.reset();
  }
  auto swept = sweep(folder.fd());
  REQUIRE(swept);
  CHECK(swept->left == 0);
  CHECK(nobody_left(folder));
  const KeptAttempt family = kept(folder, "family@1");
  INFO(victims << " " << static_cast<int>(family.state) << " " << family.exit.error.message);
  if (victims == 1) {
    CHECK(family.exit.why == Why::kCancelled);
  } else {
    CHECK(family.state == State::kLost);
    CHECK(family.exit.error.kind == ErrorKind::kLost);
  }
  CHECK(read_keeper_log(folder.fd())->back().ended);
}

TEST_CASE("the worker dies under a host that had taken it over", "[process][linux]") {
  const bool both = GENERATE(false, true);
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+family", "+holder_daemon"}));
  REQUIRE(wait_for([&] { return processes_with(folder.tag()).size() >= 5; }));
  host.end();
  Successor next(folder);
  next.adopt(2);
  const KeeperRecord record = record_of(folder);
  kill(record.worker_pid, SIGKILL);
  if (both) kill(record.guard_pid, SIGKILL);
  const ChildExit& exit = next.wait(next.adopted("family@1"));
  CHECK(exit.why == Why::kLost);
  CHECK(exit.error.kind == ErrorKind::kLost);
  CHECK_FALSE(next.keeper->superseded());
  CHECK(processes_with(folder.tag()).empty());
  next.keeper.reset();
  CHECK(read_keeper_log(folder.fd())->back().ended);
}

TEST_CASE("on a full disk nothing is lost as long as the keeper lives, and it does not spin",
          "[process][linux]") {
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+ticks=100", "+bill=/dev/null:800"}));
  REQUIRE(wait_for([&] { return acting(folder, "ticks") && acting(folder, "bill"); }));
  // A limit on file sizes simulates a full disk.
  const pid_t worker = record_of(folder).worker_pid;
  const rlimit limit{folder.read("keeper.log").size(), RLIM_INFINITY};
  REQUIRE(prlimit(worker, RLIMIT_FSIZE, &limit, nullptr) == 0);
  // An exit is reported to the host but cannot be recorded, and the host dies before it can use it.
  REQUIRE(wait_for(
      [&] { return report_of(folder, 1, host.pid()).find("bill@2") != std::string::npos; }));
  host.end();
  REQUIRE(wait_for([&] { return !acting(folder, "ticks"); }));
  CHECK(folder.read("keeper.log").find("\"exit\"") == std::string::npos);
  REQUIRE(keeper_is_alive(folder.fd()));
  const long ticks = ticks_of(worker);
  poll(nullptr, 0, 500);
  CHECK(ticks_of(worker) - ticks < 10);
  Successor next(folder);
  next.adopt(2);
  REQUIRE(next.adopted("ticks@1"));
  REQUIRE(next.adopted("bill@2"));
  CHECK(next.wait(next.adopted("ticks@1")).code == 7);
  CHECK(next.wait(next.adopted("bill@2")).success());
  next.keeper.reset();
  CHECK(nobody_left(folder));
}
