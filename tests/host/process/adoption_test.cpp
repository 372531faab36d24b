// A keeper that lives on without its host, and the hosts that take it over, one from the other.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "host/process/attempt.h"
#include "host/process/control.h"
#include "host/process/sweep.h"
#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;
using namespace moonlet::test;
using Why = ChildExit::Why;
using State = KeptAttempt::State;

namespace {

// A host in this process that goes on where another one was killed.
class Successor {
 public:
  explicit Successor(const RunFolder& folder) : folder_(folder) {}

  Result<std::unique_ptr<Keeper>> ask(std::uint64_t generation) {
    return Keeper::adopt(loop, options(generation));
  }
  void adopt(std::uint64_t generation) {
    auto adopted = ask(generation);
    if (!adopted) FAIL(adopted.error().message);
    keeper = std::move(*adopted);
    REQUIRE(keeper);
  }
  void start(std::uint64_t generation) {
    auto started = Keeper::start(loop, options(generation));
    REQUIRE(started);
    keeper = std::move(*started);
  }
  KeeperOptions options(std::uint64_t generation) const {
    KeeperOptions options;
    options.program = MOONLET_KEEPER_PROGRAM;
    options.run_dir_fd = folder_.fd();
    options.run_id = "R-001";
    options.generation = generation;
    return options;
  }
  bool until(const std::function<bool()>& done, int limit_ms = 20000) {
    const std::int64_t give_up = clock.monotonic_ms() + limit_ms;
    while (!done()) {
      if (clock.monotonic_ms() >= give_up) return false;
      auto wake = loop.after(5, [] {});
      loop.run_once();
      loop.cancel(wake);
    }
    return true;
  }
  const ChildExit& wait(const std::shared_ptr<ChildOperation>& operation) {
    REQUIRE(until([&] { return operation->done(); }, 60000));
    return operation->exit();
  }
  std::shared_ptr<ChildOperation> adopted(const std::string& attempt) const {
    for (const auto& child : keeper->adopted()) {
      if (child.attempt == attempt) return child.operation;
    }
    return nullptr;
  }
  ChildSpec act(const std::string& name, const std::string& argument, bool outlives) const {
    ChildSpec spec;
    spec.step = name;
    spec.attempt = name + "@1";
    spec.argv = {MOONLET_KEEPER_PROGRAM, "act", name, folder_.tag(), argument};
    spec.env = {"PATH=/usr/bin:/bin"};
    spec.cwd.assign(1, '/');
    spec.outlives_host = outlives;
    spec.durable = true;
    return spec;
  }

  SystemClock clock;
  Loop loop{clock};
  std::unique_ptr<Keeper> keeper;

 private:
  const RunFolder& folder_;
};

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
  // The tag stands after the name.
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

// Processor time of a process so far, in clock ticks.
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
          "[process]") {
  const bool cgroups = GENERATE(true, false);
  RunFolder folder;
  HostProcess host(
      driver(folder, 1, "start", {"+ticks=60", "+rest", "family", "stubborn", "+bill=/dev/null:1"}),
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
  // What ended with the host says so.
  auto family = next.adopted("family@3");
  REQUIRE(family);
  CHECK(next.wait(family).why == Why::kCancelled);
  CHECK(family->exit().error.message == "ended because its host was gone");
  // The host was told of this one, so it is on record only.
  CHECK_FALSE(next.adopted("bill@5"));

  const ChildExit& exit = next.wait(ticks);
  CHECK(exit.why == Why::kExited);
  CHECK(exit.code == 7);
  CHECK(exit.out.total == 300);
  CHECK(exit.err.text.size() == 300);
  CHECK(lines(folder.read("ticks@1.out")) == 60);

  // A child of its own, with a descriptor and text in memory.
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

TEST_CASE("exits that no host heard of wait for the next, and are on record", "[process]") {
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+ticks=20", "+rest"}));
  REQUIRE(wait_for([&] { return acting(folder, "rest") && acting(folder, "ticks"); }));
  host.end();
  REQUIRE(wait_for([&] { return kept(folder, "ticks@1").state == State::kExited; }));
  Successor next(folder);
  next.adopt(2);
  auto ticks = next.adopted("ticks@1");
  REQUIRE(ticks);
  const ChildExit exit = next.wait(ticks);
  CHECK(exit.code == 7);
  CHECK(exit.err.text.size() == 100);
  const ChildExit logged = kept(folder, "ticks@1").exit;
  CHECK(logged.why == Why::kExited);
  CHECK(logged.code == 7);
  CHECK(logged.out.total == 100);
  CHECK(logged.out.kept == 100);
  CHECK(logged.err.total == 100);
  CHECK(logged.err.text.empty());
  CHECK(logged.duration_ms == exit.duration_ms);
  CHECK(logged.pid == exit.pid);
  CHECK(logged.max_rss_kb == exit.max_rss_kb);
  next.keeper.reset();
  CHECK(nobody_left(folder));
  // A host that ends in order spares nobody.
  CHECK(kept(folder, "rest@2").exit.why == Why::kCancelled);
}

TEST_CASE("the keeper ends with its last child, and then nobody is there to take over",
          "[process]") {
  RunFolder folder;
  Successor next(folder);
  auto none = next.ask(1);
  REQUIRE(none);
  CHECK(*none == nullptr);
  HostProcess host(driver(folder, 1, "start", {"+ticks=15", "stubborn"}));
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
  CHECK(lines(folder.read("ticks@1.out")) == 15);
  CHECK(read_keeper_log(folder.fd())->back().ended);
  // And a new one can be started at once.
  next.start(2);
  auto again = next.keeper->spawn(next.act("ticks", "1", true));
  CHECK(next.wait(again).code == 7);
}

TEST_CASE("a host that ends in order ends what might have outlived it", "[process]") {
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

TEST_CASE("a stopped host that wakes after it was taken over from does no harm", "[process]") {
  RunFolder folder;
  HostProcess host(driver(folder, 5, "start", {"+rest", "+ticks=100", "stubborn"}));
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
  CHECK(std::stoi(report.substr(report.find("superseded after ") + 17)) < 1000);
  CHECK(acting(folder, "rest"));
  CHECK(next.wait(next.adopted("ticks@2")).code == 7);
  CHECK(lines(folder.read("ticks@2.out")) == 100);
  next.keeper.reset();
  CHECK(nobody_left(folder));
}

TEST_CASE("a host that was taken over from starts nothing, and its end costs nothing",
          "[process]") {
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
  // Asked before it knows, or after: neither runs.
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
  // A host that gave its keeper up does not wait for it, so that its guard is still to be reaped.
  CHECK(waitpid(guard, nullptr, 0) == guard);
}

TEST_CASE("a host that never reads learns all the same that it was taken over from", "[process]") {
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
  // Its end fills the socket, so that nothing more can be said there.
  REQUIRE(wait_for([&] { return kept(folder, "bytes@1").state == State::kExited; }));
  next.adopt(2);
  REQUIRE(old.until([&] { return rest->done() && bytes->done(); }));
  CHECK(rest->exit().why == Why::kLost);
  CHECK(rest->exit().error.kind == ErrorKind::kDenied);
  CHECK(old.keeper->superseded());
  old.keeper.reset();
  CHECK(acting(folder, "rest"));
  next.keeper.reset();
  CHECK(waitpid(guard, nullptr, 0) == guard);
}

TEST_CASE("what ended without a host is kept in memory within bounds", "[process]") {
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
        spec.argv = {"sh", "-c", "sleep 0.3; head -c 10000000 /dev/zero"};
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

TEST_CASE("a keeper without a host can be asked to end", "[process]") {
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+rest", "+family"}));
  REQUIRE(wait_for([&] { return processes_with(folder.tag()).size() >= 5; }));
  host.end();
  CHECK(keeper_shutdown(folder.fd()));
  Successor next(folder);
  // Waits until it is gone.
  auto adopted = next.ask(2);
  if (!adopted) FAIL(adopted.error().message);
  CHECK(*adopted == nullptr);
  CHECK(processes_with(folder.tag()).empty());
  CHECK(kept(folder, "rest@1").exit.why == Why::kCancelled);
  CHECK(kept(folder, "family@2").exit.why == Why::kCancelled);
}

TEST_CASE("a child that ends as it is taken over is there, or on record", "[process]") {
  std::mt19937 random(seed_of_day());
  const int rounds = soak() ? 500 : 30;
  int there = 0, recorded = 0;
  for (int round = 0; round < rounds; ++round) {
    const int first_us = static_cast<int>(random() % 3000), second_us = first_us / 2;
    INFO("seed " << seed_of_day() << " round " << round);
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

TEST_CASE("of hosts that take over at once one wins, and a later one wins over that", "[process]") {
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
  }  // kills the winner, too
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

TEST_CASE("a keeper whose host was overtaken before it got to work starts nothing", "[process]") {
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

TEST_CASE("limits hold without a host", "[process]") {
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
  CHECK(acting(folder, "rest"));
  REQUIRE(keeper_gone(folder));
  CHECK(nobody_left(folder));
  CHECK(kept(folder, "rest@1").exit.why == Why::kWall);
  CHECK(kept(folder, "stubborn@1").exit.why == Why::kIdle);
}

TEST_CASE("worker, guard or both are killed while no host is there", "[process]") {
  const int victims = GENERATE(0, 1, 2);  // worker, guard, both
  const bool cgroups = GENERATE(true, false);
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+family", "+daemon_bare", "+ticks=1000"}), cgroups);
  REQUIRE(wait_for([&] { return processes_with(folder.tag()).size() >= 1 + 3 + 1 + 1; }));
  host.end();
  const KeeperRecord record = record_of(folder);
  if (victims != 1) kill(record.worker_pid, SIGKILL);
  if (victims != 0) kill(record.guard_pid, SIGKILL);
  Successor next(folder);
  auto adopted = next.ask(2);
  if (!adopted) FAIL(adopted.error().message);
  if (*adopted != nullptr) {
    // The worker has not heard of its guard's end yet.
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

TEST_CASE("the worker dies under a host that had taken it over", "[process]") {
  const bool both = GENERATE(false, true);
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+family", "+daemon_bare"}));
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
          "[process]") {
  RunFolder folder;
  HostProcess host(driver(folder, 1, "start", {"+ticks=100", "+bill=/dev/null:300"}));
  REQUIRE(wait_for([&] { return acting(folder, "ticks") && acting(folder, "bill"); }));
  // A limit on file sizes stands for the full disk.
  const pid_t worker = record_of(folder).worker_pid;
  const rlimit limit{folder.read("keeper.log").size(), RLIM_INFINITY};
  REQUIRE(prlimit(worker, RLIMIT_FSIZE, &limit, nullptr) == 0);
  // One exit is told and cannot be recorded, and the host dies before it can have used it.
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

TEST_CASE("hosts come and go at any moment: nothing runs twice, nothing is lost", "[process]") {
  std::mt19937 random(seed_of_day());
  const int rounds = soak() ? 150 : 8;
  for (int round = 0; round < rounds; ++round) {
    const std::uint32_t seed = random();
    std::mt19937 dice(seed);
    INFO("seed " << seed_of_day() << " round " << round);
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
