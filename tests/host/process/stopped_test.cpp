// Tests stopped keepers: they are continued with SIGCONT, and the wait for one that cannot be
// continued is bounded.
#ifdef __linux__
#include <sys/ptrace.h>
#include <sys/wait.h>
#endif

#include <csignal>

#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"
#include "tests/leap_clock.h"

using namespace moonlet;
using namespace moonlet::test;
using Why = ChildExit::Why;

TEST_CASE("a child that stops the keeper delays neither its own limits nor another child",
          "[process][linux]") {
  KeeperRun run;
  auto beside = run.spawn(shell("sleep 0.2; echo beside"));
  ChildSpec spec = shell("for i in 1 2 3 4 5; do kill -STOP $PPID; done; sleep 60");
  spec.wall_ms = 500;
  CHECK(run.run(spec).why == Why::kWall);
  CHECK(run.wait(beside).out.text == "beside\n");
}

TEST_CASE("a stopped guard still ends its processes", "[process][linux]") {
  KeeperRun run;
  CHECK(run.run(shell("echo fine")).success());
  const pid_t guard = run.guard(), worker = run.worker();
  kill(guard, SIGSTOP);
  run.keeper.reset();
  // On a busy machine the two may take a moment to end.
  CHECK(wait_for([&] { return !alive(guard) && !alive(worker); }));
}

TEST_CASE("a keeper that is stopped, with its guard, is continued by the next request",
          "[process][linux]") {
  if (!soak()) return;  // the wait takes three seconds
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+rest"}));
  REQUIRE(wait_for([&] { return acting(folder, "rest"); }));
  host.end();
  const KeeperRecord record = record_of(folder);
  kill(record.guard_pid, SIGSTOP);
  kill(record.worker_pid, SIGSTOP);
  Successor next(folder);
  next.adopt(2);
  REQUIRE(next.adopted("rest@1"));
  CHECK_FALSE(next.adopted("rest@1")->done());
}

#ifdef __linux__

TEST_CASE("a keeper that cannot be continued is given up, and its children are adopted later",
          "[process][linux]") {
  if (!soak()) return;  // takes two checks, five seconds apart
  RunFolder folder;
  Successor next(folder);
  const auto rest = next.act("rest", {}, true);
  LeapClock clock;
  Loop loop(clock);
  auto started = Keeper::start(loop, next.options(1));
  REQUIRE(started);
  auto keeper = std::move(*started);
  ChildSpec limited = next.act("limited", {}, true);
  limited.argv = {"sh", "-c", "sleep 60"};
  limited.wall_ms = 60000;
  auto operation = keeper->spawn(std::move(limited));
  auto other = keeper->spawn(rest);
  while (operation->pid() == 0 || other->pid() == 0) loop.run_once();
  const pid_t worker = record_of(folder).worker_pid;
  if (ptrace(PTRACE_SEIZE, worker, nullptr, nullptr) != 0) return;  // ptrace is forbidden here
  REQUIRE(ptrace(PTRACE_INTERRUPT, worker, nullptr, nullptr) == 0);
  REQUIRE(waitpid(worker, nullptr, __WALL) == worker);
  clock.leap(200000);
  while (!operation->done() || !other->done()) loop.run_once();
  for (const auto& lost : {operation, other}) {
    CHECK(lost->exit().why == Why::kLost);
    CHECK(lost->exit().error.message.find("does not answer") != std::string::npos);
  }
  auto late = keeper->spawn(shell("echo late"));
  while (!late->done()) loop.run_once();
  CHECK(late->exit().why == Why::kNotStarted);
  keeper.reset();
  auto silent = next.ask(2);
  REQUIRE_FALSE(silent);
  CHECK(silent.error().kind == ErrorKind::kTimeout);
  ptrace(PTRACE_DETACH, worker, nullptr, nullptr);
  next.adopt(3);
  REQUIRE(next.adopted("rest@1"));
  CHECK_FALSE(next.adopted("rest@1")->done());
}

#endif
