#include "host/process/client/live_index.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "host/base/append_lines.h"
#include "host/process/client/requests.h"
#include "host/process/keeper/live_entry.h"
#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"

using namespace moonlet;
using namespace moonlet::test;
namespace fs = std::filesystem;

namespace {

/// A state folder with an index in it.
struct Index {
  RunFolder state;
  LiveIndex index{state.path()};
  std::string path = state.path() + "/live";

  bool is_empty() const { return fs::is_empty(path); }
};

/// A keeper in the index, with one child that sleeps.
struct Indexed : Index {
  RunFolder folder;
  Successor host{folder};
  std::shared_ptr<ChildOperation> child;

  explicit Indexed(const std::string& script = "sleep 600", const std::string& id = "R-007") {
    KeeperOptions options = host.options(1);
    const auto live = index.make();
    REQUIRE(live);
    options.live_dir_fd = live->fd();
    options.run_id = id;
    options.label = "a label";
    auto started = Keeper::start(host.loop, options);
    REQUIRE(started);
    host.keeper = std::move(*started);
    ChildSpec spec = shell(script + " # " + folder.tag());
    spec.outlives_host = true;
    child = host.keeper->spawn(std::move(spec));
    REQUIRE(host.until([&] { return child->pid() != 0 || child->done(); }));
  }

  LiveKeeper only() const {
    auto keepers = index.list();
    REQUIRE(keepers.size() == 1);
    return std::move(keepers[0]);
  }
  void kill_keeper() {
    const KeeperRecord record = only().record;
    ::kill(record.guard_pid, SIGKILL);
    ::kill(record.worker_pid, SIGKILL);
    REQUIRE(wait_for([&] { return !alive(record.guard_pid) && !alive(record.worker_pid); }));
  }
};

LiveEntry entry_of(const Index& own, const std::string& token, const std::string& id,
                   const RunFolder& run) {
  const auto live = own.index.make();
  REQUIRE(live);
  // The entry gets a duplicate of the index folder's descriptor.
  auto entry = LiveEntry::make(::dup(live->fd()), token);
  REQUIRE(entry);
  KeeperRecord record;
  record.run_id = id;
  record.token = token;
  record.boot_id = boot_id();
  record.run_dir = identify_file(run.fd());
  REQUIRE(entry->publish(record, run.path()).ok());
  return std::move(*entry);
}

}  // namespace

TEST_CASE("a keeper is in the index while it works, and leaves it at its end", "[process]") {
  Indexed own;
  {
    const LiveKeeper keeper = own.only();
    CHECK(keeper.record.run_id == "R-007");
    CHECK(keeper.record.label == "a label");
    CHECK(keeper.run_dir == own.folder.path());
    CHECK_FALSE(keeper.removed);
    struct stat info {};
    REQUIRE(::stat(own.path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
  }
  own.host.keeper.reset();
  CHECK(own.index.list().empty());
  CHECK(own.is_empty());
}

TEST_CASE("a run whose folder was removed is found in the index, and ended", "[process]") {
  Indexed own;
  fs::remove_all(own.folder.path());
  const auto keeper = own.index.find_removed(own.folder.path());
  REQUIRE(keeper);
  CHECK_FALSE(own.index.find_removed(own.folder.path() + "x"));
  const auto processes = list_live(*keeper);
  REQUIRE(!processes.empty());
  CHECK(processes[0].main);
  CHECK(processes[0].record.step == "shell");
  CHECK(processes[0].info.pid == own.child->pid());
  REQUIRE(end_keeper(*keeper, 100).ok());
  CHECK(own.host.wait(own.child).why == ChildExit::Why::kCancelled);
  CHECK(nobody_left(own.folder));
  CHECK(own.is_empty());
}

TEST_CASE("a keeper in the index obeys only who can write its entry", "[process]") {
  Indexed own;
  const LiveKeeper keeper = own.only();
  fs::remove_all(own.folder.path());
  const std::string log = own.path + "/" + keeper.record.token + "/" + kKeeperLogName;
  fs::remove(log);
  std::ofstream(log) << "{}\n";
  const auto ended = keeper_shutdown(keeper.dir.fd());
  REQUIRE_FALSE(ended.ok());
  CHECK(ended.error().kind == ErrorKind::kDenied);
  CHECK(alive(own.child->pid()));
}

TEST_CASE("a reader drops the entry of a killed keeper and ends what it left without a folder",
          "[process][linux]") {
  Indexed own("setsid sleep 600; true");
  fs::remove_all(own.folder.path());
  own.kill_keeper();
  CHECK(own.index.list().empty());
  CHECK(own.is_empty());
  CHECK(nobody_left(own.folder));
}

TEST_CASE("a reader of the index leaves what a killed keeper left to the sweep of its run",
          "[process]") {
  Indexed own;
  own.kill_keeper();
  CHECK(own.index.list().empty());
  CHECK(own.is_empty());
  REQUIRE(own.host.until([&] { return own.child->done(); }));
  CHECK(kept(own.folder, "").state != KeptAttempt::State::kRunning);
}

TEST_CASE("an entry follows the folder of its run when that is moved") {
  const Index own;
  const RunFolder run;
  LiveEntry entry = entry_of(own, "abc", "R-001", run);
  const std::string moved = run.path() + "-moved";
  fs::rename(run.path(), moved);
  entry.follow(moved);
  const auto keepers = own.index.list();
  REQUIRE(keepers.size() == 1);
  CHECK(keepers[0].run_dir == moved);
  CHECK_FALSE(keepers[0].removed);
  fs::rename(moved, run.path());
  CHECK(own.index.list()[0].removed);  // the run's path does not exist
  entry.remove();
  CHECK(own.is_empty());
}

TEST_CASE("a new folder in the place of a removed one does not hide its keeper") {
  const Index own;
  const RunFolder run;
  LiveEntry entry = entry_of(own, "abc", "R-001", run);
  fs::remove(run.path());
  fs::create_directory(run.path());
  CHECK(own.index.find_removed(run.path()));
  entry.remove();
}

TEST_CASE("the ids of live keepers are taken") {
  const Index own;
  const RunFolder runs;
  LiveEntry first = entry_of(own, "a", "R-009", runs), second = entry_of(own, "b", "S-003", runs);
  const auto parent = fs::path(runs.path()).parent_path().string();
  first.follow(parent + "/R-009");
  second.follow(parent + "/S-003");
  CHECK(own.index.highest(parent, 'R') == 9);
  CHECK(own.index.highest(parent, 'S') == 3);
  CHECK(own.index.highest(runs.path(), 'R') == 0);
  first.remove();
  second.remove();
}

TEST_CASE("a reader neither lists nor drops the keepers of other machines that share the folder") {
  const Index own;
  REQUIRE(own.index.make().ok());
  const std::string entry = own.path + "/elsewhere";
  fs::create_directory(entry);
  KeeperRecord record;
  record.run_id = "R-001";
  record.token = "elsewhere";
  record.machine = "another machine";
  std::ofstream(entry + "/" + kKeeperLogName) << keeper_line(record);
  CHECK(own.index.list().empty());
  CHECK(fs::exists(entry));
}

TEST_CASE("an entry that is not complete is not seen, and dropped when it is old") {
  const Index own;
  REQUIRE(own.index.make().ok());
  const std::string fresh = own.path + "/.fresh", old = own.path + "/.old";
  fs::create_directory(fresh);
  fs::create_directory(old);
  const timespec times[2] = {{1000, 0}, {1000, 0}};
  REQUIRE(utimensat(AT_FDCWD, old.c_str(), times, 0) == 0);
  CHECK(own.index.list().empty());
  CHECK(fs::exists(fresh));
  CHECK_FALSE(fs::exists(old));
}

TEST_CASE(
    "an index that cannot be made or written is an error for keepers, and empty for readers") {
  const RunFolder state;
  std::ofstream(state.path() + "/live") << "in the way\n";
  CHECK_FALSE(LiveIndex(state.path()).make().ok());
  CHECK(LiveIndex(state.path()).list().empty());
  CHECK(LiveIndex("").make().error().kind == ErrorKind::kInvalid);
  CHECK(LiveIndex("").list().empty());
}
