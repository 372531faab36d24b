// Tests hosts that take a keeper over from each other: only one drives, nothing is lost, and
// nothing runs twice.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <random>
#include <thread>

#include "host/process/client/launch.h"
#include "host/process/client/sweep.h"
#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;
using namespace moonlet::test;
using Why = ChildExit::Why;
using State = KeptAttempt::State;

TEST_CASE("a stopped host that wakes after it was taken over from does no harm",
          "[process][linux]") {
  RunFolder folder;
  HostProcess host(driver(folder, 5, "start", {"+rest", "+ticks=200", "stubborn"}));
  REQUIRE(wait_for([&] { return acting(folder, "rest") && acting(folder, "stubborn"); }));
  kill(host.pid(), SIGSTOP);
  Successor next(folder);
  for (std::uint64_t generation : {0, 4, 5}) {
    auto refused = next.ask(generation);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::kDenied);
  }
  next.adopt(6);
  CHECK(next.wait(next.adopted("stubborn@3")).why == Why::kCancelled);
  const pid_t old = host.pid();
  kill(old, SIGCONT);
  CHECK(host.wait() == 0);
  const std::string report = report_of(folder, 5, old);
  INFO(report);
  CHECK(report.find("rest@1 lost -1 denied another host has taken over the run (generation 6)\n") !=
        std::string::npos);
  CHECK(report.find("superseded after ") != std::string::npos);
  CHECK(std::stoi(report.substr(report.find("superseded after ") + 17)) < 2500);
  CHECK(acting(folder, "rest"));
  CHECK(next.wait(next.adopted("ticks@2")).code == 7);
  CHECK(lines(folder.read("ticks@2.out")) == 200);
  next.keeper.reset();
  CHECK(nobody_left(folder));
}

TEST_CASE("a host that was taken over from starts nothing, and its end costs nothing",
          "[process][linux]") {
  RunFolder folder;
  Successor old(folder), next(folder);
  old.start(1);
  auto rest = old.keeper->spawn(old.act("rest", "", true));
  auto flood = old.keeper->spawn(old.act("flood", "", false));
  REQUIRE(old.until([&] { return rest->pid() != 0 && flood->pid() != 0; }));
  next.adopt(2);
  const bool heard = GENERATE(true, false);
  const pid_t guard = record_of(folder).guard_pid;
  if (heard) REQUIRE(old.until([&] { return rest->done(); }));
  // The old host asks for a child before or after it learns of the takeover. The child never
  // starts.
  auto late = old.keeper->spawn(old.act("bill", folder.path() + "/bill:1", true));
  rest->cancel();
  if (heard) {
    CHECK(old.keeper->superseded());
    CHECK(old.wait(late).why == Why::kNotStarted);
  }
  old.keeper.reset();
  for (const auto& operation : {rest, flood}) {
    REQUIRE(operation->done());
    CHECK(operation->exit().why == Why::kLost);
    CHECK(operation->exit().error.kind == ErrorKind::kDenied);
  }
  CHECK(late->done());
  CHECK(late->exit().error.kind == ErrorKind::kDenied);
  CHECK(folder.read("bill").empty());
  CHECK(acting(folder, "rest"));
  auto adopted = next.adopted("rest@1");
  REQUIRE(adopted);
  CHECK_FALSE(adopted->done());
  adopted->cancel();
  CHECK(next.wait(adopted).why == Why::kCancelled);
  next.keeper.reset();
  CHECK(wait_for([] { return reap_left_guards() == 0; }));
  CHECK(waitpid(guard, nullptr, WNOHANG) == -1);
}

TEST_CASE("a host that never reads still learns that another host took over", "[process][linux]") {
  RunFolder folder;
  Successor old(folder), next(folder);
  old.start(1);
  const pid_t guard = [&] {
    wait_for([&] { return record_of(folder).guard_pid != 0; });
    return record_of(folder).guard_pid;
  }();
  auto rest = old.keeper->spawn(old.act("rest", "", true));
  ChildSpec spec = old.act("bytes", "20000000", false);
  spec.out = OutputSpec::to_inline(30 << 20);
  auto bytes = old.keeper->spawn(spec);
  REQUIRE(old.until([&] { return rest->pid() != 0; }));
  // The exit of this child, with its output, fills the old host's socket, so nothing more can be
  // sent there.
  REQUIRE(wait_for([&] { return kept(folder, "bytes@1").state == State::kExited; }));
  next.adopt(2);
  REQUIRE(old.until([&] { return rest->done() && bytes->done(); }));
  CHECK(rest->exit().why == Why::kLost);
  CHECK(rest->exit().error.kind == ErrorKind::kDenied);
  CHECK(old.keeper->superseded());
  old.keeper.reset();
  CHECK(acting(folder, "rest"));
  next.keeper.reset();
  CHECK(wait_for([] { return reap_left_guards() == 0; }));
  CHECK(waitpid(guard, nullptr, WNOHANG) == -1);
}

TEST_CASE("a host that lets go leaves the children that may outlive it to the next host",
          "[process][linux]") {
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+rest"}));
  REQUIRE(wait_for([&] { return acting(folder, "rest"); }));
  host.end();
  Successor old(folder);
  old.adopt(2);
  auto rest = old.adopted("rest@1");
  auto flood = old.keeper->spawn(old.act("flood", "", false));
  REQUIRE(old.until([&] { return flood->pid() != 0; }));
  old.keeper->let_go();
  for (const auto& child : {rest, flood}) {
    CHECK(child->exit().why == Why::kLost);
    CHECK(child->exit().error.message == "this host has let go of the keeper");
  }
  CHECK(old.wait(old.keeper->spawn(old.act("rest", "", true))).error.kind == ErrorKind::kLost);
  old.keeper.reset();
  CHECK(acting(folder, "rest"));
  CHECK(wait_for([&] { return !acting(folder, "flood"); }));
  Successor next(folder);
  next.adopt(3);
  CHECK_FALSE(next.adopted("rest@1")->done());
  next.keeper.reset();
  CHECK(nobody_left(folder));
}

TEST_CASE("a child that ends as it is taken over is there, or on record", "[process][linux]") {
  std::mt19937 random(test_seed());
  const int rounds = soak() ? 500 : 30;
  int there = 0, recorded = 0;
  for (int round = 0; round < rounds; ++round) {
    const int first_us = static_cast<int>(random() % 3000), second_us = first_us / 2;
    INFO("seed " << test_seed() << " round " << round);
    RunFolder folder;
    const bool another = random() % 2 == 0;
    std::vector<std::string> children{"+rest"};
    if (another) children.push_back("+rest");
    HostProcess host(driver(folder, 1, "start", children));
    REQUIRE(wait_for([&] {
      return kept(folder, "rest@1").state == State::kRunning && acting(folder, "rest") &&
             (!another || kept(folder, "rest@2").pid != 0);
    }));
    const pid_t child = kept(folder, "rest@1").pid;
    host.end();
    const bool child_first = random() % 2 == 0;
    if (child_first) kill(child, SIGKILL);
    usleep(static_cast<useconds_t>(child_first ? first_us : second_us));
    std::thread late([&] {
      if (!child_first) kill(child, SIGKILL);
    });
    Successor next(folder);
    auto adopted = next.ask(2);
    late.join();
    if (!adopted) FAIL(adopted.error().message);
    next.keeper = std::move(*adopted);
    auto operation = next.keeper ? next.adopted("rest@1") : nullptr;
    if (operation) {
      ++there;
      CHECK(next.wait(operation).signal == SIGKILL);
    } else {
      ++recorded;
    }
    const KeptAttempt found = kept(folder, "rest@1");
    CHECK(found.state == State::kExited);
    CHECK(found.exit.signal == SIGKILL);
    next.keeper.reset();
    CHECK(nobody_left(folder));
  }
  CAPTURE(there, recorded);
  CHECK(there + recorded == rounds);
}

TEST_CASE("one of several simultaneous hosts takes over, and a later one takes over from it",
          "[process][linux]") {
  RunFolder folder;
  HostProcess first(driver(folder, 1, "start", {"+rest"}));
  REQUIRE(wait_for([&] { return acting(folder, "rest"); }));
  first.end();
  {
    std::vector<std::unique_ptr<HostProcess>> rivals;
    std::vector<pid_t> pids;
    for (int i = 0; i < 6; ++i) {
      rivals.push_back(std::make_unique<HostProcess>(driver(folder, 2, "adopt", {})));
      pids.push_back(rivals.back()->pid());
    }
    int drove = 0, refused = 0;
    REQUIRE(wait_for([&] {
      drove = refused = 0;
      for (pid_t pid : pids) {
        const std::string report = report_of(folder, 2, pid);
        drove += report.find("driving\n") == 0 ? 1 : 0;
        refused += report.find("refused denied another host has taken over") == 0 ? 1 : 0;
      }
      return drove + refused == 6;
    }));
    CHECK(drove == 1);
    CHECK(record_of(folder).generation == 2);
  }  // kills the winning host too
  Successor next(folder), last(folder);
  next.adopt(3);
  last.adopt(4);
  REQUIRE(next.until([&] { return next.keeper->superseded(); }));
  CHECK(next.adopted("rest@1")->exit().error.kind == ErrorKind::kDenied);
  next.keeper.reset();
  CHECK(acting(folder, "rest"));
  CHECK_FALSE(next.ask(3));
  last.adopted("rest@1")->cancel();
  CHECK(last.wait(last.adopted("rest@1")).why == Why::kCancelled);
}

TEST_CASE("a keeper whose host was overtaken before its start starts no child",
          "[process][linux]") {
  RunFolder folder;
  Successor next(folder);
  next.start(7);
  CHECK(next.wait(next.keeper->spawn(next.act("ticks", "1", true))).code == 7);
  next.keeper.reset();
  Successor late(folder);
  late.start(6);
  auto operation = late.keeper->spawn(late.act("bill", folder.path() + "/bill:1", true));
  CHECK(late.wait(operation).why == Why::kNotStarted);
  CHECK(operation->exit().error.kind == ErrorKind::kDenied);
  CHECK(folder.read("bill").empty());
}

TEST_CASE("hosts come and go at any moment: no child runs twice, none is lost",
          "[process][linux]") {
  std::mt19937 random(test_seed());
  const int rounds = soak() ? 150 : 8;
  for (int round = 0; round < rounds; ++round) {
    const std::uint32_t seed = random();
    std::mt19937 dice(seed);
    INFO("seed " << test_seed() << " round " << round);
    auto some = [&](unsigned most) { return static_cast<int>(dice() % (most + 1)); };
    RunFolder folder;
    const std::string bill = folder.path() + "/bill-";
    std::vector<std::string> children;
    const int count = 1 + some(9);
    for (int i = 1; i <= count; ++i) {
      const bool outlives = some(3) != 0;
      children.push_back((outlives ? "+bill=" : "bill=") + bill + std::to_string(i) + ":" +
                         std::to_string(some(1) ? some(40) : some(400)));
    }
    children.push_back("stubborn");
    const bool cgroups = some(1) != 0;
    {
      HostProcess first(driver(folder, 1, "start", children), cgroups);
      poll(nullptr, 0, some(some(1) ? 10 : 120));
      const int others = some(3);
      for (int generation = 2; generation < 2 + others; ++generation) {
        if (generation == 2 && some(2) == 0) kill(first.pid(), SIGSTOP);
        if (generation == 2 && some(2) != 0) first.end();
        HostProcess other(driver(folder, static_cast<std::uint64_t>(generation), "adopt", {}),
                          cgroups);
        poll(nullptr, 0, some(40));
      }
    }
    Successor last(folder);
    auto adopted = last.ask(100);
    if (!adopted) FAIL(adopted.error().message);
    if (*adopted == nullptr) REQUIRE(sweep(folder.fd()));
    std::map<std::string, std::shared_ptr<ChildOperation>> living;
    if (*adopted) {
      last.keeper = std::move(*adopted);
      for (const auto& child : last.keeper->adopted()) living[child.attempt] = child.operation;
    }
    for (int i = 1; i <= count; ++i) {
      const std::string attempt = "bill@" + std::to_string(i);
      const bool outlives = children[static_cast<std::size_t>(i - 1)][0] == '+';
      Why why = Why::kNotStarted;
      if (living.count(attempt) != 0) {
        why = last.wait(living[attempt]).why;
      } else {
        const KeptAttempt found = kept(folder, attempt);
        CHECK((found.state == State::kExited || found.state == State::kNotStarted));
        if (found.state == State::kExited) why = found.exit.why;
      }
      const std::size_t runs = lines(folder.read("bill-" + std::to_string(i)));
      INFO(attempt << " " << to_string(why) << " ran " << runs << "\n"
                   << folder.read("keeper.log"));
      CHECK(runs <= 1);
      if (why == Why::kNotStarted) CHECK(runs == 0);
      if (why == Why::kExited) CHECK(runs == 1);
      if (outlives) CHECK((why == Why::kExited || why == Why::kNotStarted));
    }
    last.keeper.reset();
    CHECK(nobody_left(folder));
    CHECK(keeper_gone(folder));
    auto keepers = read_keeper_log(folder.fd());
    REQUIRE(keepers);
    CHECK(keepers->size() <= 1);
    for (const auto& keeper : *keepers) CHECK(keeper.ended);
  }
}
