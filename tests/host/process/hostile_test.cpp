// Tests children that resist their end, and the processes that they leave. The run stays within its
// limits and leaves no process, with and without a cgroup.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "host/process/child/cgroup.h"
#include "host/process/child/tree.h"
#include "host/process/client/sweep.h"
#include "host/process/wire/keeper_log.h"
#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"
#include "tests/places.h"

using namespace moonlet;
using namespace moonlet::test;
using Why = ChildExit::Why;

namespace {

// Shortens every period that these tests have to wait for.
ChildSpec hurried(ChildSpec spec) {
  spec.grace_ms = 200;
  spec.drain_ms = 200;
  return spec;
}

std::size_t open_fds(pid_t pid) {
  std::size_t count = 0;
  DIR* folder = opendir(("/proc/" + std::to_string(pid) + "/fd").c_str());
  while (folder != nullptr && readdir(folder) != nullptr) ++count;
  if (folder != nullptr) closedir(folder);
  return count;
}

std::size_t zombies_of(pid_t parent) {
  std::size_t count = 0;
  for (const auto& process : list_processes()) count += process.zombie && process.ppid == parent;
  return count;
}

}  // namespace

TEST_CASE("a wall-clock limit ends every tree", "[process][linux]") {
  const bool cgroups = GENERATE(true, false);
  KeeperRun run(cgroups);
  for (const char* name : {"rest", "stubborn", "family", "stop", "storm", "flood", "threads"}) {
    ChildSpec spec = hurried(run.act(name));
    spec.wall_ms = 300;
    spec.out = OutputSpec::to_inline(1000);
    const ChildExit& exit = run.run(spec);
    INFO(name << (cgroups ? " with" : " without") << " cgroups");
    CHECK(exit.why == Why::kWall);
    CHECK(exit.out.text.size() <= 1100);
    CHECK(processes_with(run.folder.tag()).empty());
  }
}

TEST_CASE("a tree that ends on TERM does not wait for the KILL", "[process][linux]") {
  KeeperRun run;
  ChildSpec spec = run.act("rest");
  spec.wall_ms = 50;
  spec.grace_ms = 1000000;
  const ChildExit& exit = run.run(spec);
  CHECK(exit.why == Why::kWall);
  CHECK(exit.signal == SIGTERM);
}

TEST_CASE("an end that comes while it is looked for is not missed", "[process][linux]") {
  KeeperRun run;
  std::vector<std::shared_ptr<ChildOperation>> operations;
  const int count = soak() ? 3000 : 300;
  for (int i = 0; i < count; ++i) {
    ChildSpec spec = run.act("rest");
    spec.argv = {"sleep", i % 2 == 0 ? "1000" : "0.02"};
    spec.wall_ms = 10 + i % 30;
    spec.grace_ms = 1000000;
    operations.push_back(run.spawn(spec));
    if (i % 50 == 49) {
      for (const auto& operation : operations) run.wait(operation);
    }
  }
  for (const auto& operation : operations) CHECK(run.wait(operation).duration_ms < 60000);
}

TEST_CASE("an idle limit ends a silent child and spares one that writes", "[process][linux]") {
  KeeperRun run;
  ChildSpec spec = hurried(run.act("stubborn"));
  spec.idle_ms = 200;
  CHECK(run.run(spec).why == Why::kIdle);
  spec.argv = {"sh", "-c", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done"};
  spec.idle_ms = 900;
  const ChildExit& exit = run.run(spec);
  CHECK(exit.why == Why::kExited);
  CHECK(exit.out.text == "1\n2\n3\n4\n5\n6\n");
}

TEST_CASE("a cancel ends the tree, before and after the start", "[process][linux]") {
  KeeperRun run;
  auto at_once = run.spawn(hurried(run.act("family")));
  at_once->cancel();
  CHECK(run.wait(at_once).why == Why::kCancelled);
  auto later = run.spawn(hurried(run.act("family")));
  REQUIRE(run.until([&] { return processes_with(run.folder.tag()).size() >= 3; }));
  later->cancel();
  later->cancel();
  CHECK(run.wait(later).why == Why::kCancelled);
  CHECK(processes_with(run.folder.tag()).empty());
}

TEST_CASE("a daemon that a child left ends with it", "[process][linux]") {
  const bool cgroups = GENERATE(true, false);
  KeeperRun run(cgroups);
  for (const char* name : {"daemon", "daemon_bare", "holder", "holder_daemon"}) {
    const ChildExit& exit = run.run(hurried(run.act(name)));
    INFO(name << (cgroups ? " with" : " without") << " cgroups");
    CHECK(exit.why == Why::kExited);
    CHECK(exit.code == 0);
    CHECK(exit.stragglers == 1);
    CHECK(exit.drained == (std::string(name).find("holder") == std::string::npos));
    CHECK(processes_with(run.folder.tag()).empty());
  }
}

TEST_CASE("the end of a step ends no daemon of another step", "[process][linux]") {
  KeeperRun run(false);
  // Each parent has its own daemon, whose environment is empty.
  auto first = run.spawn(hurried(run.act("family")));
  auto second = run.spawn(hurried(run.act("family")));
  REQUIRE(run.until([&] { return processes_with(run.folder.tag()).size() == 6; }));
  first->cancel();
  run.wait(first);
  // The count above may include a process that was about to become a daemon.
  CHECK(wait_for([&] { return processes_with(run.folder.tag()).size() == 3; }));
  second->cancel();
  run.wait(second);
}

TEST_CASE("late output of a child's child is still its output", "[process][linux]") {
  KeeperRun run;
  ChildSpec spec = run.act("late_writer");
  const ChildExit& exit = run.run(spec);
  CHECK(exit.out.text == "early\nlate\n");
  CHECK(exit.drained);
  CHECK(exit.stragglers == 0);
}

TEST_CASE("a chain of forks loses", "[process][linux]") {
  const bool cgroups = GENERATE(true, false);
  KeeperRun run(cgroups);
  for (const char* name : {"chain", "chain_sessions", "chain_fast"}) {
    ChildSpec spec = hurried(run.act(name));
    const ChildExit& exit = run.run(spec);
    INFO(name << (cgroups ? " with" : " without") << " cgroups");
    CHECK(exit.why == Why::kExited);
    CHECK(exit.error.message == "");
    CHECK(processes_with(run.folder.tag()).empty());
  }
}

TEST_CASE("a flood is drained and capped while others work", "[process][linux]") {
  KeeperRun run;
  ChildSpec spec = hurried(run.act("flood", "err"));
  spec.wall_ms = 500;
  spec.err = OutputSpec::to_file("err.log", 100000);
  auto flood = run.spawn(spec);
  for (int i = 0; i < 5; ++i) CHECK(run.run(run.act("bytes", "10")).out.text.size() == 10);
  const ChildExit& exit = run.wait(flood);
  CHECK(exit.err.total > exit.err.kept);
  CHECK(exit.err.kept == 100000);
  CHECK(run.folder.read("err.log").size() < 100100);
}

TEST_CASE("a step's own cgroup goes with it", "[process][linux]") {
  if (own_cgroup().empty()) return;
  KeeperRun run;
  ChildSpec spec = hurried(run.act("chain_fast"));
  spec.own_cgroup = true;
  spec.argv = {"sh", "-c", "cat /proc/self/cgroup"};
  const ChildExit& exit = run.run(spec);
  CHECK(exit.out.text.find("moonlet-" + run.keeper->token() + "/step-1") != std::string::npos);
  spec.argv = run.act("chain_fast").argv;
  run.run(spec);
  std::string cgroup = own_cgroup() + "/moonlet-" + run.keeper->token();
  CHECK(access(cgroup.c_str(), F_OK) == 0);
  auto gone = [&](const char* step) { return access((cgroup + step).c_str(), F_OK) != 0; };
  CHECK(wait_for([&] {
    run.run(run.act("bytes", "1"));
    return gone("/step-1") && gone("/step-2");
  }));
  spec.cwd = "/no-such-folder";
  CHECK(run.run(spec).why == ChildExit::Why::kNotStarted);
  run.keeper.reset();
  CHECK(access(cgroup.c_str(), F_OK) != 0);
}

TEST_CASE("six hundred bad children leave no zombie and no descriptor", "[process][linux]") {
  KeeperRun run;
  run.run(run.act("bytes", "1"));
  const pid_t worker = run.worker(), guard = run.guard();
  const std::size_t worker_fds = open_fds(worker), host_fds = open_fds(getpid());
  const char* names[] = {"daemon", "daemon_bare", "holder",   "crash",
                         "bytes",  "nothing",     "stubborn", "chain"};
  const int count = soak() ? 600 : 120;
  std::vector<std::shared_ptr<ChildOperation>> operations;
  for (int i = 0; i < count; ++i) {
    ChildSpec spec = hurried(run.act(names[i % 8], "100"));
    spec.drain_ms = 50;
    spec.grace_ms = 50;
    spec.wall_ms = 2000;
    if (i % 9 == 0) spec.argv = {"moonlet-no-such-program"};
    if (i % 8 == 6) spec.wall_ms = 100;
    operations.push_back(run.spawn(spec));
    if (i % 64 == 63) run.wait(operations.back());
  }
  for (const auto& operation : operations) run.wait(operation);
  CHECK(processes_with(run.folder.tag()).empty());
  CHECK(zombies_of(worker) == 0);
  CHECK(zombies_of(guard) == 0);
  CHECK(zombies_of(getpid()) == 0);
  CHECK(open_fds(worker) == worker_fds);
  CHECK(open_fds(getpid()) == host_fds);
}

TEST_CASE("a moonlet inside a step of another belongs to that step with all it started",
          "[process][linux]") {
  const bool cgroups = GENERATE(true, false);
  KeeperRun run(cgroups);
  RunFolder inner;
  ChildSpec spec = hurried(run.act("host"));
  spec.argv = {places::kKeeperProgram, "host", inner.path(), run.folder.tag(), "6"};
  if (!cgroups) spec.env.push_back("MOONLET_CGROUPS=0");
  auto operation = run.spawn(spec);
  // At least the inner host, its six children, and some of their daemons and children.
  REQUIRE(run.until([&] { return processes_with(run.folder.tag()).size() >= 8; }));
  auto inside = read_keeper_log(inner.fd());
  REQUIRE(inside);
  REQUIRE(inside->size() == 1);
  // The inner guard and worker die first, so the daemons of their children become the outer
  // keeper's. They have the marks of both keepers.
  kill(inside->front().record.guard_pid, SIGKILL);
  kill(inside->front().record.worker_pid, SIGKILL);
  operation->cancel();
  run.wait(operation);  // without its keeper, the inner host may have ended by itself
  CHECK(processes_with(run.folder.tag()).empty());
  CHECK(sweep(inner.fd())->killed.empty());
}

TEST_CASE("no process is left when the keeper is released with children running",
          "[process][linux]") {
  const bool cgroups = GENERATE(true, false);
  KeeperRun run(cgroups);
  std::vector<std::shared_ptr<ChildOperation>> operations;
  for (const char* name : {"family", "stubborn", "storm", "daemon_bare", "holder_daemon"}) {
    ChildSpec spec = run.act(name);
    spec.drain_ms = 100000;
    operations.push_back(run.spawn(spec));
  }
  REQUIRE(run.until([&] { return processes_with(run.folder.tag()).size() >= 5; }));
  run.keeper.reset();
  for (const auto& operation : operations) CHECK(operation->done());
  CHECK(processes_with(run.folder.tag()).empty());
}
