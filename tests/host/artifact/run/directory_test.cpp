#include "host/artifact/run/directory.h"

#include <signal.h>

#include <nlohmann/json.hpp>
#include <set>

#include "host/artifact/run/session_dir.h"
#include "host/artifact/run/sidecar.h"
#include "host/base/id.h"
#include "tests/catch.h"
#include "tests/host/artifact/journal/fixture.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

struct Agent {
  Scratch scratch;
  Dir dir;
  Runs runs;
  Agent() : dir(make(scratch)), runs(dir) {}
  explicit Agent(const std::string& below) : scratch(below), dir(make(scratch)), runs(dir) {}
  static Dir make(const Scratch& scratch) {
    auto dir = Dir::open(scratch.path());
    (void)dir->make_dirs("runs");
    (void)dir->make_dirs("live");
    return std::move(*dir);
  }
};

Result<RunLock> lock_of(const RunDir& run) { return lock_run(run.dir(), run.id()); }

}  // namespace

TEST_CASE("runs are numbered from one and marked live until they finish") {
  Agent agent;
  for (const char* id : {"R-001", "R-002", "R-003"}) CHECK(agent.runs.create()->id() == id);
  CHECK(agent.runs.live().value() == std::vector<std::string>{"R-001", "R-002", "R-003"});
  REQUIRE(agent.runs.mark_finished("R-002").ok());
  REQUIRE(agent.runs.mark_finished("R-002").ok());
  CHECK(agent.runs.live().value() == std::vector<std::string>{"R-001", "R-003"});
  REQUIRE(agent.runs.mark_live("R-002").ok());
  CHECK(agent.runs.live()->size() == 3);
  CHECK(agent.runs.list(2).value() == std::vector<std::string>{"R-003", "R-002"});
  CHECK(agent.runs.list(0)->empty());
  CHECK(agent.runs.open("R-002")->id() == "R-002");
}

TEST_CASE("the number of a run or session whose folder is gone is not given out again") {
  Agent agent;
  CHECK(agent.runs.create()->id() == "R-001");
  CHECK(agent.runs.create(40)->id() == "R-041");
  CHECK(agent.runs.create(7)->id() == "R-042");
  CHECK(make_session_dir(agent.dir, 3).value() == "S-004");
  CHECK(make_session_dir(agent.dir).value() == "S-005");
}

TEST_CASE("malformed and unknown ids are refused") {
  Agent agent;
  for (const char* id : {"R-001", "R-1", "../live", "", "R-001/", ".", "S-001"}) {
    const auto error = agent.runs.open(id).error();
    CHECK(error.kind == ErrorKind::kInvalid);
    CHECK(error.message.find("there is no run") != std::string::npos);
  }
  CHECK_FALSE(agent.runs.mark_live("../x").ok());
  CHECK_FALSE(agent.runs.mark_finished("../x").ok());
}

TEST_CASE("newest first goes by number, and foreign names do not matter") {
  Agent agent;
  for (const char* name : {"R-999", "R-1000", "R-0001", "R-x", "notes", ".tmp-1"}) {
    REQUIRE(agent.dir.make_dirs(std::string("runs/") + name).ok());
  }
  spit(agent.scratch / "runs/R-2000", "a file");
  CHECK(agent.runs.list(10).value() == std::vector<std::string>{"R-1000", "R-999"});
  CHECK(agent.runs.create()->id() == "R-2001");
}

TEST_CASE("a hint that is lost, low, high or rubbish gives no id twice") {
  Agent agent;
  for (int i = 0; i < 200; ++i)
    REQUIRE(agent.dir.make_dirs("runs/" + numbered_id('R', i + 1)).ok());
  CHECK(agent.runs.create()->id() == "R-201");
  for (const std::string& hint : {std::string("R-005"), std::string("rubbish"), std::string(),
                                  std::string("R-999999999999999999"), std::string(100, 'x')}) {
    spit(agent.scratch / "runs/.last", hint);
    const auto before = agent.runs.list(1)->front();
    CHECK(id_number('R', agent.runs.create()->id()) == id_number('R', before) + 1);
  }
  // The newest was removed: its number is not used again.
  const auto last = agent.runs.create()->id();
  REQUIRE(agent.dir.remove_tree("runs/" + last).ok());
  CHECK(id_number('R', agent.runs.create()->id()) == id_number('R', last) + 1);
}

TEST_CASE("eight processes that make 200 runs each make 1600") {
  Agent agent(memory_folder());
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int run = 0; run < 200; ++run) {
        auto made = agent.runs.create();
        // The folder must be exclusive: no other process may have put a file there.
        if (!made || entries_in(made->dir().path()) != 0) ::_exit(1);
        spit(made->dir().path() + "/mine", "");
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 1;
    while (::waitpid(child, &status, 0) < 0) {
    }
    CHECK(status == 0);
  }
  const auto ids = agent.runs.list(10'000).value();
  CHECK(ids.size() == 1600);
  CHECK(ids.front() == "R-1600");
  CHECK(agent.runs.live()->size() == 1600);
}

TEST_CASE("eight processes that are killed at random leave no id twice and no run without a mark") {
  Agent agent(memory_folder());
  for (int round = 0; round < 20; ++round) {
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        for (;;) {
          auto run = agent.runs.create();
          if (!run || run->dir().exists("mine")) ::_exit(1);
          spit(run->dir().path() + "/mine", "");
        }
      }
      children.push_back(child);
    }
    while (agent.runs.list(SIZE_MAX)->size() < static_cast<std::size_t>(round + 1) * 20) {
    }
    for (pid_t child : children) ::kill(child, SIGKILL);
    for (pid_t child : children) {
      int status = 0;
      while (::waitpid(child, &status, 0) < 0) {
      }
      CHECK(WIFSIGNALED(status));
    }
  }
  // A kill between the two steps of create() leaves an empty folder, in which nothing was started.
  const auto live = agent.runs.live().value();
  const std::set<std::string> marked(live.begin(), live.end());
  const auto all = agent.runs.list(SIZE_MAX).value();
  for (const auto& id : all) {
    if (marked.count(id) == 0) CHECK(entries_in(agent.scratch / "runs/" + id) == 0);
  }
  CHECK(agent.runs.create().ok());
}

#ifdef __linux__
TEST_CASE("a full disk leaves no half made run or sidecar") {
  Scratch scratch;
  const int outcome = in_child([&] {
    // The file system has room for a few inodes.
    if (!mount_tmpfs(scratch.path(), "nr_inodes=8")) return 9;
    auto dir = Dir::open(scratch.path());
    if (!dir->make_dirs("runs") || !dir->make_dirs("live") || !dir->make_dirs("sidecars")) return 1;
    const Runs runs(*dir);
    Result<RunDir> last = runs.create();
    while (last.ok()) last = runs.create();
    if (last.error().message.find("ENOSPC") == std::string::npos) return 2;
    if (runs.list(100)->size() != runs.live()->size()) return 3;
    // One free inode is enough for the sidecar's folder, but not for its content.
    if (make_sidecar(*dir, "task").ok()) return 4;
    return dir->exists("sidecars/task") ? 5 : 0;
  });
  if (outcome == 9) {
    WARN("skipped: this user may not mount");
    return;
  }
  CHECK(outcome == 0);
}
#endif

TEST_CASE("the lock names its holder, and its generation grows") {
  Agent agent;
  auto run = agent.runs.create();
  REQUIRE(run);
  {
    auto lock = lock_of(*run);
    REQUIRE(lock);
    CHECK(lock->generation() == 1);
    const auto error = lock_of(*agent.runs.open("R-001")).error();
    CHECK(error.message.find("process " + std::to_string(::getpid())) != std::string::npos);
    CHECK(error.hint.find("R-001") != std::string::npos);
  }
  auto lock = lock_of(*run);
  REQUIRE(lock);
  CHECK(lock->generation() == 2);
}

TEST_CASE("a killed holder leaves the lock free and the generation known") {
  Agent agent;
  auto run = agent.runs.create();
  REQUIRE(run);
  for (int i = 0; i < 3; ++i) {
    CHECK(in_child([&] {
            auto lock = lock_of(*run);
            spit(agent.scratch / "runs/R-001/.tmp-0123456789abcdef", "half");
            if (lock.ok()) ::raise(SIGKILL);
            return 1;
          }) == 1000 + SIGKILL);
  }
  CHECK(lock_of(*run)->generation() == 4);
  CHECK_FALSE(run->dir().exists(".tmp-0123456789abcdef"));
}

TEST_CASE("one of many takers gets the lock") {
  Agent agent;
  auto run = agent.runs.create();
  REQUIRE(run);
  int go[2], won[2];
  REQUIRE(::pipe(go) == 0);
  REQUIRE(::pipe(won) == 0);
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto lock = lock_of(*run);
      const char word = lock.ok() ? 'y' : 'n';
      if (::write(won[1], &word, 1) != 1) ::_exit(1);
      char byte;
      ::close(go[1]);
      while (::read(go[0], &byte, 1) > 0) {
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  std::string words(8, ' ');
  for (char& word : words) REQUIRE(::read(won[0], &word, 1) == 1);
  CHECK(std::count(words.begin(), words.end(), 'y') == 1);
  for (int fd : {go[0], go[1], won[0], won[1]}) ::close(fd);
  for (pid_t child : children) ::waitpid(child, nullptr, 0);
}

TEST_CASE("a damaged lock file is an error, not a fresh start") {
  Agent agent;
  auto run = agent.runs.create();
  REQUIRE(run);
  for (const char* text : {"rubbish", "pid 1 generation 7\n", "pid 00000000001 generation 0000"}) {
    spit(agent.scratch / "runs/R-001/lock", text);
    const auto error = lock_of(*run).error();
    CHECK(error.message.find("damaged") != std::string::npos);
  }
  spit(agent.scratch / "runs/R-001/lock", "");
  CHECK(lock_of(*run)->generation() == 1);
}
