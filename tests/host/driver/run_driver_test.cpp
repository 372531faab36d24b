#include "host/driver/run_driver.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "host/driver/registry.h"
#include "host/process/client/launch.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"
#include "tests/host/process/keeper_fixture.h"
#include "tests/places.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

/// A temporary repository, and drivers of its runs.
struct Place {
  Scratch scratch;
  SystemClock clock;
  Loop loop{clock};
  Home home = std::move(*Home::find(scratch.path()));
  int cancels = 0;

  RunDriver::Host host() {
    return {loop, clock, places::kKeeperProgram, LiveIndex(scratch / "state"),
            [this] { ++cancels; }};
  }
  Result<std::unique_ptr<RunDriver>> make(const RunDriver::Request& request = {"p", "", ""}) {
    return RunDriver::create(host(), home, request);
  }
  Result<std::unique_ptr<RunDriver>> resume(const std::string& id, const std::string& task_id) {
    auto wait = RunDriver::lock(loop, home, id);
    if (!wait) return wait.error();
    while (!(*wait)->done()) loop.run_once();
    if (!(*wait)->lock()) return (*wait)->lock().error();
    return RunDriver::resume(host(), home, id, {"p", task_id, ""}, std::move(*(*wait)->lock()));
  }
  Result<std::unique_ptr<RunDriver>> resume(const RunDriver& run) {
    return resume(run.id(), run.task_id());
  }
  std::string path(const std::string& below) const { return scratch / ".agent/" + below; }
  std::string read(const std::string& below) const {
    std::ifstream in(path(below), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool until(const std::function<bool()>& done) {
    const auto limit = clock.monotonic_ms() + 20000;
    while (!done() && clock.monotonic_ms() < limit) loop.run_once();
    return done();
  }
  /// Takes over the run, as another process does when the driver is stopped.
  void take_away(const RunDriver& run) {
    std::filesystem::remove(path("runs/" + run.id() + "/lock"));
  }
};

/// Calls the operation of this number. Each one writes.
constexpr int kOperations = 10;
Result<void> write_by(RunDriver& run, int operation, Bus& bus) {
  const auto plain = [](const auto& result) {
    return result ? Result<void>() : Result<void>(result.error());
  };
  switch (operation) {
    case 0:
      return run.write_record("new");
    case 1:
      return run.write("new", "new", Durable::kYes);
    case 2:
      return run.write("new", "new", Durable::kNo);
    case 3:
      return run.make_dirs("new", Durable::kYes);
    case 4:
      return run.remove("old");
    case 5:
      return plain(run.rename("old", "new"));
    case 6:
      return run.write_value("new", "new", Durable::kYes);
    case 7:
      return plain(run.key());
    case 8:
      return plain(run.spawn(shell("echo new >'" + std::string(run.agent().path()) + "/new'")));
    default:
      return run.open_events("new", bus);
  }
}

std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    names.push_back(entry.path().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Limits the size of files to 0, which simulates a full disk.
class FullDisk {
 public:
  FullDisk() : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit none{0, old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*old_handler_)(int);
  rlimit old_{};
};

}  // namespace

TEST_CASE("a new run has a locked folder, a sidecar and a place in the list of live runs") {
  Place place;
  auto run = place.make();
  REQUIRE(run.ok());
  CHECK((*run)->id() == "R-001");
  CHECK_FALSE((*run)->is_resumed());
  CHECK(std::filesystem::is_directory(place.path((*run)->sidecar())));
  CHECK(Runs((*run)->agent()).live().value() == std::vector<std::string>{"R-001"});
  CHECK((*run)->still_ours().ok());
  (*run)->mark_finished();
  CHECK(Runs((*run)->agent()).live()->empty());
}

TEST_CASE("a task id that is taken makes no run") {
  Place place;
  auto first = place.make({"p", "mine", ""});
  REQUIRE(first.ok());
  CHECK((*first)->task_id() == "mine");
  auto second = place.make({"p", "mine", ""});
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().kind == ErrorKind::kInvalid);
  CHECK(Runs((*first)->agent()).list(10)->size() == 1);
}

TEST_CASE("the sidecar of a packet's run is named after both") {
  Place place;
  auto run = place.make({"p", "", "T-007"});
  REQUIRE(run.ok());
  CHECK((*run)->task_id() == "T-007-R-001");
}

TEST_CASE("a second driver of a run is refused while the first one lives") {
  Place place;
  auto first = place.make();
  REQUIRE(first.ok());
  auto second = place.resume(**first);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().kind == ErrorKind::kFailed);
  CHECK((*first)->still_ours().ok());
  first->reset();
  const std::string task = "p";
  second = place.resume("R-001", task);
  REQUIRE(second.ok());
  CHECK((*second)->is_resumed());
}

TEST_CASE("a driver whose run was taken away changes nothing") {
  for (int operation = 0; operation < kOperations; ++operation) {
    INFO(operation);
    Place place;
    Bus bus(Redactor({}, {}), place.clock);
    auto first = place.make();
    REQUIRE(first.ok());
    RunDriver& run = **first;
    REQUIRE(run.write_record("old").ok());
    REQUIRE(run.write("old", "old", Durable::kYes).ok());
    REQUIRE(run.open_journal(nullptr).ok());
    place.take_away(run);
    auto second = place.resume(run);
    REQUIRE(second.ok());
    const auto before = files_below(place.path(""));
    const auto written = write_by(run, operation, bus);
    REQUIRE_FALSE(written.ok());
    CHECK(written.error().kind == ErrorKind::kDenied);
    auto write = run.append("{\"late\":true}");
    REQUIRE(write.ok());
    REQUIRE(place.until([&] { return (*write)->done(); }));
    CHECK_FALSE((*write)->result().ok());
    CHECK(files_below(place.path("")) == before);
    CHECK(place.read("runs/R-001/run.json") == "old");
    CHECK(place.read("old") == "old");
    CHECK(place.read("runs/R-001/steps.jsonl").find("late") == std::string::npos);
    RunDriver::discard(std::move(*first));
    CHECK(files_below(place.path("")) == before);
    CHECK((*second)->write("after", "ok", Durable::kYes).ok());
  }
}

TEST_CASE("a failed write leaves the old file and says so") {
  for (int operation : {0, 1, 2, 6, 7}) {
    INFO(operation);
    Place place;
    Bus bus(Redactor({}, {}), place.clock);
    auto run = place.make();
    REQUIRE(run.ok());
    REQUIRE((*run)->write_record("old").ok());
    REQUIRE((*run)->write("new", "old", Durable::kYes).ok());
    {
      FullDisk full;
      CHECK_FALSE(write_by(**run, operation, bus).ok());
    }
    CHECK(place.read("runs/R-001/run.json") == "old");
    CHECK(place.read("new") == "old");
    CHECK(write_by(**run, operation, bus).ok());
  }
}

TEST_CASE("a run that cannot be made leaves nothing behind") {
  Place place;
  REQUIRE(place.home.make().ok());
  const auto before = files_below(place.path(""));
  {
    FullDisk full;
    CHECK_FALSE(place.make().ok());
  }
  CHECK(files_below(place.path("")) == before);
  CHECK(place.make().ok());
}

TEST_CASE("a discarded run leaves nothing behind") {
  Place place;
  REQUIRE(place.home.make().ok());
  auto run = place.make();
  REQUIRE(run.ok());
  REQUIRE((*run)->write((*run)->sidecar() + "/file", "text", Durable::kNo).ok());
  RunDriver::discard(std::move(*run));
  CHECK_FALSE(std::filesystem::exists(place.path("runs/R-001")));
  CHECK(std::filesystem::is_empty(place.path("sidecars")));
  CHECK(Runs(**place.home.existing()).live()->empty());
}

TEST_CASE("a child that may outlive its host is adopted by the next driver of the run") {
  Place place;
  auto first = place.make();
  REQUIRE(first.ok());
  ChildSpec spec = shell("read line; echo \"$line\"");
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  Fd reading(ends[0]), writing(ends[1]);
  spec.stdin_fd = reading.get();
  spec.step = "s";
  spec.attempt = "s@1";
  spec.outlives_host = true;
  auto child = (*first)->spawn(std::move(spec));
  REQUIRE(child.ok());
  REQUIRE(place.until([&] { return (*child)->pid() != 0; }));
  CHECK((*first)->pid_of("s@1") == (*child)->pid());
  const std::string task = (*first)->task_id();
  first->reset();
  auto second = place.resume("R-001", task);
  REQUIRE(second.ok());
  CHECK((*second)->has_running_children());
  auto adopted = (*second)->find_adopted("s@1");
  REQUIRE(adopted);
  REQUIRE(write(writing.get(), "hello\n", 6) == 6);
  REQUIRE(place.until([&] { return adopted->done(); }));
  CHECK(adopted->exit().out.text == "hello\n");
  CHECK_FALSE((*second)->has_running_children());
  second->reset();
  CHECK(wait_for([] { return reap_left_guards() == 0; }));
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);  // no zombie is left
}

TEST_CASE("a request to cancel reaches the driver once") {
  Place place;
  auto run = place.make();
  REQUIRE(run.ok());
  auto dir = Runs((*run)->agent()).open("R-001");
  REQUIRE(CancelRequest::make(dir->dir()).ok());
  REQUIRE(place.until([&] {
    (*run)->look_for_cancel();
    return place.cancels > 0;
  }));
  (*run)->look_for_cancel();
  CHECK(place.cancels == 1);
}

TEST_CASE("a sweep marks a run of a dead host as finished and leaves a driven one alone") {
  Place place;
  auto dead = place.make(), driven = place.make();
  REQUIRE(dead.ok());
  REQUIRE(driven.ok());
  dead->reset();
  const auto sweep = RunRegistry(place.home).sweep(place.loop);
  REQUIRE(place.until([&] { return sweep->done(); }));
  const auto& swept = sweep->swept();
  REQUIRE(swept.size() == 1);
  CHECK(swept[0].id == "R-001");
  CHECK(swept[0].killed == 0);
  CHECK(Runs((*driven)->agent()).live().value() == std::vector<std::string>{"R-002"});
  const RunRegistry registry(place.home);
  CHECK(registry.lock(place.loop, "R-009").error().kind == ErrorKind::kInvalid);
  CHECK_FALSE((*registry.lock(place.loop, "R-002"))->lock().ok());
  const auto free = *registry.lock(place.loop, "R-001");
  REQUIRE(free->lock().ok());
  CHECK(registry.end_orphans("R-001", *free->lock()).ok());
}
