#include "host/process/child/tree.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

ProcessInfo process(pid_t pid, pid_t ppid, pid_t sid) { return {pid, ppid, sid, sid, 0, false}; }

}  // namespace

TEST_CASE("every process below is found once, with its step") {
  const pid_t self = 10;
  // The main process of step 1 is 100, that of step 2 was 200 and has ended. 300 to 330 are
  // orphans.
  std::vector<ProcessInfo> all = {
      process(1, 0, 1),      process(10, 1, 10),     process(50, 1, 50),
      process(100, 10, 100), process(101, 100, 100), process(102, 101, 102),
      process(300, 10, 100), process(301, 300, 301), process(310, 10, 200),
      process(320, 10, 320), process(321, 320, 321), process(330, 10, 330),
  };
  TreeOwners owners;
  owners.mains = {{100, 1}};
  owners.groups = {{100, 1}, {200, 2}};
  owners.attribute = [](const ProcessInfo& info) { return info.pid == 320 ? 2u : 0u; };
  std::map<pid_t, TreeMember> found;
  for (const auto& member : find_tree(all, self, owners)) {
    CHECK(found.emplace(member.info.pid, member).second);
  }
  CHECK(found.size() == 9);
  const std::map<pid_t, std::uint32_t> expected = {{100, 1}, {101, 1}, {102, 1}, {300, 1}, {301, 1},
                                                   {310, 2}, {320, 2}, {321, 2}, {330, 0}};
  for (const auto& [pid, step] : expected) {
    INFO(pid);
    REQUIRE(found.count(pid) == 1);
    CHECK(found[pid].step == step);
  }
}

TEST_CASE("a loop in the parents that the system reports ends the walk") {
  std::vector<ProcessInfo> all = {process(2, 1, 2), process(3, 2, 2), process(2, 3, 2),
                                  process(1, 3, 2)};
  CHECK(find_tree(all, 1, {}).size() == 2);
}

TEST_CASE("a mark differs from another run's, and stays readable inside another mark") {
  std::uint32_t step = 0;
  CHECK(mark_of("abc/7", "abc", step));
  CHECK(step == 7);
  CHECK(mark_of(mark_value("inner", 3, "abc/12"), "abc", step));
  CHECK(step == 12);
  CHECK(mark_of(mark_value("inner", 3, "abc/12"), "inner", step));
  CHECK(step == 3);
  for (const char* other : {"", "abc", "abc/", "abcd/7", "ab/7", "abc/x", "abc/7x", "abc/-1",
                            "abc/99999999999", "xabc/7", ":", "::::"}) {
    CHECK_FALSE(mark_of(other, "abc", step));
  }
  CHECK_FALSE(mark_of("/7", "", step));
  std::string mark;
  for (int i = 0; i < 1000; ++i) mark = mark_value("token", 1, mark);
  CHECK(mark.size() < 500);
}

TEST_CASE("the system lists this process and its children", "[process]") {
  ProcessInfo self;
  REQUIRE(read_process(getpid(), self));
  CHECK(self.ppid == getppid());
  CHECK(self.sid == getsid(0));
  CHECK_FALSE(self.zombie);
  CHECK(self.born_ms <= boot_clock_ms());

  const std::int64_t before = boot_clock_ms();
  pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  ProcessInfo info;
  REQUIRE(read_process(child, info));
  CHECK(info.ppid == getpid());
  CHECK(born_at(info, before));
  CHECK_FALSE(born_at(info, before - 60000));
  CHECK_FALSE(born_at(info, before + 60000));
  auto all = list_processes();
  CHECK(std::any_of(all.begin(), all.end(), [&](const auto& p) { return p.pid == child; }));

  ProcessInfo other = info;
  other.born_ms -= 100000;
  CHECK_FALSE(signal_process(other, SIGKILL));
  CHECK(same_process(info));
  CHECK(signal_process(info, SIGKILL));
  REQUIRE(wait_for([&] { return read_process(child, info) && info.zombie; }));
  CHECK_FALSE(signal_process(info, SIGKILL));
  waitpid(child, nullptr, 0);
  CHECK_FALSE(read_process(child, info));
}

TEST_CASE("a brand survives an emptied environment and says run and step", "[process]") {
  if (brand_resource() < 0) return;
  pid_t child = fork();
  if (child == 0) {
    Brand brand = brand_for("some-run", 4711);
    rlimit limit{brand.soft, brand.hard};
    if (setrlimit(brand_resource(), &limit) != 0) _exit(1);
    char* argv[] = {const_cast<char*>("sleep"), const_cast<char*>("1000"), nullptr};
    char* none[] = {nullptr};
    execve("/bin/sleep", argv, none);
    _exit(1);
  }
  std::uint32_t step = 0;
  CHECK(wait_for([&] { return read_mark(child, "some-run", step); }));
  CHECK(step == 4711);
  CHECK_FALSE(read_mark(child, "other-run", step));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}
