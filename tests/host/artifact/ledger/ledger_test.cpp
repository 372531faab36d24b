#include "host/artifact/ledger/ledger.h"

#include <signal.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "host/artifact/ledger/db.h"
#include "host/artifact/run/directory.h"
#include "host/base/id.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

struct AgentFolder {
  Scratch scratch;
  Dir agent;
  AgentFolder() : agent(open(scratch)) {}
  explicit AgentFolder(const std::string& below) : scratch(below), agent(open(scratch)) {}
  static Dir open(const Scratch& scratch) { return std::move(*Dir::open(scratch.path())); }
  std::string file() const { return scratch / "ledger.db"; }
};

LedgerRun run_of(int number, const char* task = "task", const char* verdict = "ok") {
  LedgerRun run;
  run.id = numbered_id('R', static_cast<std::uint64_t>(number));
  run.task_id = task;
  run.preset = "review";
  run.status = "finished";
  run.verdict = verdict;
  run.started_at = number * 1000;
  return run;
}

std::vector<std::string> ids_of(const Result<std::vector<LedgerRun>>& runs) {
  std::vector<std::string> ids;
  for (const auto& run : runs.value()) ids.push_back(run.id);
  return ids;
}

void sql(const std::string& file, const std::string& text) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

std::size_t damaged_files(const AgentFolder& home) {
  std::size_t count = 0;
  const auto listing = home.agent.list(".", 100).value();
  for (const auto& entry : listing.entries) {
    count += entry.name.find(".damaged-") != std::string::npos ? 1 : 0;
  }
  return count;
}

}  // namespace

TEST_CASE("a ledger opens nothing until it is used") {
  AgentFolder home;
  Ledger ledger(home.agent);
  CHECK_FALSE(ledger.present());
  CHECK(entries_in(home.scratch.path()) == 0);
  CHECK(ledger.list_runs({}, 10)->empty());
  CHECK(ledger.present());
}

TEST_CASE("a run comes back as it was put, and is put again") {
  AgentFolder home;
  Ledger ledger(home.agent);
  LedgerRun run;
  run.id = "R-007";
  run.task_id = "T-001-R-007";
  run.preset = "triangulated-review";
  run.title = std::string("strange \"'; DROP TABLE runs; \xff\0 text", 36);
  run.runner = "codex";
  run.model = "m";
  run.status = "running";
  run.started_at = 1'795'000'000'123;
  run.parent_run_id = "R-003";
  run.replay_reason = "again";
  run.dir = "runs/R-007";
  run.host_pid = 4711;
  run.error = "none";
  REQUIRE(ledger.put_run(run).ok());
  auto read = ledger.get_run("R-007").value();
  CHECK(read.title == run.title);
  CHECK(read.started_at == run.started_at);
  CHECK(read.host_pid == 4711);
  CHECK(read.parent_run_id == "R-003");
  CHECK_FALSE(read.ended_at);
  CHECK_FALSE(read.exit_code);
  CHECK(read.verdict.empty());

  run.status = "finished";
  run.verdict = "degraded";
  run.exit_code = 4;
  run.host_pid.reset();
  REQUIRE(ledger.put_run(run).ok());
  read = Ledger(home.agent).get_run("R-007").value();
  CHECK(read.verdict == "degraded");
  CHECK(read.exit_code == 4);
  CHECK_FALSE(read.host_pid);
  CHECK(ledger.list_runs({}, 10)->size() == 1);

  CHECK(ledger.get_run("R-008").error().kind == ErrorKind::kInvalid);
  run.id = "7";
  CHECK(ledger.put_run(run).error().kind == ErrorKind::kInvalid);
  CHECK(ledger.get_run("../x").error().kind == ErrorKind::kInvalid);
}

TEST_CASE("lists are newest first, filtered, and come in pages") {
  AgentFolder home;
  Ledger ledger(home.agent);
  for (int i = 1; i <= 1200; ++i) {
    if (i > 20 && i < 990) continue;
    auto run = run_of(i, i % 2 == 0 ? "even" : "odd", i % 5 == 0 ? "failed" : "ok");
    if (i % 3 == 0) run.preset = "other";
    if (i == 1199) run.status = "running";
    run.parent_run_id = i == 1100 ? "R-005" : "";
    REQUIRE(ledger.put_run(run).ok());
  }
  CHECK(ids_of(ledger.list_runs({}, 3)) == std::vector<std::string>{"R-1200", "R-1199", "R-1198"});
  CHECK(ids_of(ledger.list_runs({}, 2, "R-1199")) == std::vector<std::string>{"R-1198", "R-1197"});
  CHECK(ids_of(ledger.list_runs({}, 2, "R-003")) == std::vector<std::string>{"R-002", "R-001"});
  CHECK(ids_of(ledger.list_runs({.task = "odd"}, 2)) ==
        std::vector<std::string>{"R-1199", "R-1197"});
  CHECK(ids_of(ledger.list_runs({.task = "odd", .verdict = "failed"}, 2)) ==
        std::vector<std::string>{"R-1195", "R-1185"});
  CHECK(ids_of(ledger.list_runs({.preset = "other", .verdict = "failed"}, 2, "R-1200")) ==
        std::vector<std::string>{"R-1185", "R-1170"});
  CHECK(ids_of(ledger.list_runs({.status = "running"}, 9)) == std::vector<std::string>{"R-1199"});
  CHECK(ids_of(ledger.list_runs({.parent = "R-005"}, 9)) == std::vector<std::string>{"R-1100"});
  CHECK(ledger.list_runs({.task = "nobody"}, 9)->empty());
  CHECK(ledger.list_runs({}, 0)->empty());
  CHECK(ledger.list_runs({}, SIZE_MAX)->size() == 231);
  CHECK_FALSE(ledger.list_runs({}, 9, "rubbish").ok());
}

TEST_CASE("steps and usage belong to their run") {
  AgentFolder home;
  Ledger ledger(home.agent);
  std::vector<LedgerStep> steps(3);
  steps[0] = {.key = "review/tests", .attempt = 1, .seq = 2, .kind = "agent", .status = "failed"};
  steps[1] = {.key = "review/tests", .attempt = 2, .seq = 3, .kind = "agent", .status = "ok"};
  steps[2] = {.key = "facts",
              .attempt = 1,
              .seq = 1,
              .kind = "exec",
              .status = "ok",
              .cached = true,
              .started_at = 5,
              .duration_ms = 7};
  REQUIRE(ledger.put_record({run_of(1), steps, {}}).ok());
  REQUIRE(ledger.put_record({run_of(2), {steps[0]}, {}}).ok());
  const auto read = ledger.steps_of("R-001").value();
  REQUIRE(read.size() == 3);
  CHECK(read[0].key == "facts");
  CHECK(read[0].cached);
  CHECK(read[0].duration_ms == 7);
  CHECK(read[1].status == "failed");
  CHECK(read[2].attempt == 2);
  CHECK(ledger.steps_of("R-009")->empty());

  LedgerUsage one{.step = "a",
                  .runner = "codex",
                  .model = "m",
                  .day = "2026-11-20",
                  .input = 100,
                  .cached = 20,
                  .output = 10,
                  .total = 110,
                  .cost_usd = 0.5,
                  .cost_is = "reported"};
  LedgerUsage none{.step = "b", .runner = "command", .day = "2026-11-21"};
  LedgerUsage huge{
      .step = "c", .runner = "codex", .model = "n", .day = "2026-11-21", .total = INT64_MAX};
  REQUIRE(ledger.put_record({run_of(1), steps, {one, none}}).ok());
  REQUIRE(
      ledger
          .put_record({run_of(2),
                       {},
                       {one,
                        huge,
                        {.step = "d", .runner = "codex", .day = "2026-11-22", .total = INT64_MAX}}})
          .ok());
  const auto rows = ledger.list_usage({.run = "R-001"}, 10).value();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].run == "R-001");
  CHECK(rows[0].cost_usd == 0.5);
  CHECK_FALSE(rows[0].reasoning);
  CHECK_FALSE(rows[1].input);
  CHECK(ledger.list_usage({}, 2)->front().run == "R-002");

  const auto all = ledger.usage_totals({.until_day = "2026-11-20"}, UsageBy::kAll).value();
  REQUIRE(all.size() == 1);
  CHECK(all[0].attempts == 2);
  CHECK(all[0].total == 220);
  CHECK(all[0].cost_usd == 1.0);
  CHECK(all[0].unreported == 0);
  const auto runners = ledger.usage_totals({.run = "R-001"}, UsageBy::kRunner).value();
  REQUIRE(runners.size() == 2);
  CHECK(runners[0].group == "codex");
  CHECK(runners[1].group == "command");
  CHECK(runners[1].unreported == 1);
  CHECK(runners[1].unpriced == 1);
  CHECK_FALSE(runners[1].input);
  CHECK_FALSE(runners[1].total);
  CHECK_FALSE(runners[1].cost_usd);
  CHECK(runners[0].estimated + runners[1].estimated == 0);
  CHECK_FALSE(runners[0].reasoning);
  const auto days = ledger.usage_totals({.since_day = "2026-11-21"}, UsageBy::kDay).value();
  REQUIRE(days.size() == 2);
  CHECK(days[0].group == "2026-11-21");
  CHECK(ledger.usage_totals({}, UsageBy::kRun)->at(1).group == "R-002");
  CHECK(ledger.usage_totals({}, UsageBy::kRun)->at(1).total > INT64_MAX / 2);
  CHECK(ledger.usage_totals({.runner = "nobody"}, UsageBy::kAll)->at(0).attempts == 0);
}

TEST_CASE("rows of unknown runs do not count, and strays() lists them") {
  AgentFolder home;
  Ledger ledger(home.agent);
  REQUIRE(ledger.put_record({run_of(1), {{.key = "a"}}, {{.step = "a", .total = 1}}}).ok());
  CHECK(ledger.strays()->empty());
  sql(home.file(), "DELETE FROM runs");
  CHECK(ledger.usage_totals({}, UsageBy::kAll)->at(0).attempts == 0);
  CHECK(ledger.strays().value() == std::vector<std::string>{"steps of R-001", "usage of R-001"});
}

TEST_CASE("paid, replayed and estimated costs are kept apart") {
  AgentFolder home;
  Ledger ledger(home.agent);
  const LedgerUsage paid{
      .step = "a", .runner = "codex", .total = 5, .cost_usd = 1.0, .cost_is = "estimate"};
  LedgerUsage played = paid;
  played.step = "b";
  played.runner = "cassette";
  const LedgerUsage told{
      .step = "c", .runner = "claude", .total = 5, .cost_usd = 1.0, .cost_is = "reported"};
  REQUIRE(ledger.put_record({run_of(1), {}, {paid, played, told}}).ok());
  const auto all = ledger.usage_totals({}, UsageBy::kAll).value();
  CHECK(all[0].attempts == 2);
  CHECK(all[0].estimated == 1);
  CHECK(all[0].cost_usd == 2.0);
  CHECK(ledger.usage_totals({.runner = "cassette"}, UsageBy::kAll)->at(0).attempts == 1);
  CHECK(ledger.usage_totals({}, UsageBy::kRunner)->size() == 2);
}

TEST_CASE("together() writes all of its rows or none") {
  AgentFolder home;
  Ledger ledger(home.agent);
  const auto failed = ledger.together([&]() -> Result<void> {
    REQUIRE(ledger.put_run(run_of(1)).ok());
    REQUIRE(ledger.put_record({run_of(1), {{.key = "a"}}, {}}).ok());
    CHECK(ledger.get_run("R-001").ok());
    CHECK_FALSE(ledger.rebuild([] { return Result<void>(); }).ok());
    return Error{ErrorKind::kRejected, "no", "", ""};
  });
  CHECK(failed.error().kind == ErrorKind::kRejected);
  CHECK_FALSE(ledger.get_run("R-001").ok());
  CHECK_THROWS(ledger.together([&]() -> Result<void> {
    REQUIRE(ledger.put_run(run_of(1)).ok());
    throw 1;
  }));
  CHECK_FALSE(ledger.get_run("R-001").ok());
  REQUIRE(ledger.together([&] { return ledger.put_run(run_of(1)); }).ok());
  CHECK(Ledger(home.agent).get_run("R-001").ok());
}

TEST_CASE("a rebuild replaces everything, or after an error nothing") {
  AgentFolder home;
  Ledger ledger(home.agent);
  REQUIRE(ledger.put_run(run_of(1)).ok());
  CHECK_FALSE(ledger.rebuild([] { return Error{}; }).ok());
  CHECK(ledger.get_run("R-001").ok());
  REQUIRE(ledger.rebuild([&] { return ledger.put_run(run_of(2)); }).ok());
  CHECK_FALSE(ledger.get_run("R-001").ok());
  CHECK(ledger.get_run("R-002").ok());
  CHECK(damaged_files(home) == 0);
}

TEST_CASE(
    "a damaged, foreign or newer ledger is an error with a hint, and a rebuild keeps it aside") {
  struct Case {
    const char* name;
    const char* message;
    std::function<void(const AgentFolder&)> spoil;
  };
  const Case cases[] = {
      {"rubbish", "cannot be used",
       [](const AgentFolder& home) { spit(home.file(), std::string(5000, 'x')); }},
      {"a page overwritten", "cannot be used",
       [](const AgentFolder& home) {
         auto bytes = slurp(home.file());
         std::fill(bytes.begin() + 100, bytes.begin() + 4096, '\x7f');
         spit(home.file(), bytes);
       }},
      {"cut", "cannot be used",
       [](const AgentFolder& home) { spit(home.file(), slurp(home.file()).substr(0, 9000)); }},
      {"newer", "newer moonlet",
       [](const AgentFolder& home) { sql(home.file(), "PRAGMA user_version = 99"); }},
      {"foreign", "not a ledger of moonlet",
       [](const AgentFolder& home) {
         spit(home.file(), "");
         sql(home.file(), "CREATE TABLE mine (x)");
       }},
      {"tables lost", "no such table",
       [](const AgentFolder& home) { sql(home.file(), "DROP TABLE runs"); }},
  };
  for (const auto& spoiled : cases) {
    INFO(spoiled.name);
    AgentFolder home;
    {
      Ledger ledger(home.agent);
      for (int i = 1; i <= 50; ++i) REQUIRE(ledger.put_run(run_of(i)).ok());
    }
    spoiled.spoil(home);
    Ledger ledger(home.agent);
    auto error = ledger.put_run(run_of(51)).error();
    if (error.message.empty()) error = ledger.list_runs({}, 9).error();
    CHECK(error.kind == ErrorKind::kFailed);
    CHECK(error.message.find(spoiled.message) != std::string::npos);
    CHECK(error.message.find(home.file()) != std::string::npos);
    CHECK(error.hint.find("moonlet run verify --rebuild") != std::string::npos);
    CHECK(damaged_files(home) == 0);
    REQUIRE(ledger.rebuild([&] { return ledger.put_run(run_of(3)); }).ok());
    CHECK(ids_of(ledger.list_runs({}, 9)) == std::vector<std::string>{"R-003"});
    CHECK(damaged_files(home) >= 1);
  }
}

TEST_CASE("damage that only a full reading finds is found by a rebuild") {
  AgentFolder home;
  {
    Ledger ledger(home.agent);
    REQUIRE(ledger
                .together([&]() -> Result<void> {
                  for (int i = 1; i <= 2000; ++i) {
                    if (auto put = ledger.put_run(run_of(i)); !put) return put;
                  }
                  return {};
                })
                .ok());
  }
  auto bytes = slurp(home.file());
  const std::size_t page = bytes.size() / 4096 / 2;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(page * 4096), 4096, '\x55');
  spit(home.file(), bytes);
  Ledger ledger(home.agent);
  REQUIRE(ledger.rebuild([&] { return ledger.put_run(run_of(3)); }).ok());
  CHECK(ledger.list_runs({}, 9)->size() == 1);
  CHECK(damaged_files(home) >= 1);
}

TEST_CASE("a ledger that is removed or replaced while it is open is opened anew") {
  AgentFolder home;
  Ledger ledger(home.agent);
  REQUIRE(ledger.put_run(run_of(1)).ok());
  for (const char* name : {"ledger.db", "ledger.db-wal", "ledger.db-shm"}) {
    (void)home.agent.remove_file(name);
  }
  REQUIRE(ledger.put_run(run_of(2)).ok());
  CHECK(ids_of(Ledger(home.agent).list_runs({}, 9)) == std::vector<std::string>{"R-002"});
}

TEST_CASE("a ledger that is a link, or has other names, is not opened") {
  AgentFolder home;
  Scratch elsewhere;
  const std::string target = elsewhere / "mine.db";
  sql(target, "CREATE TABLE mine (x)");
  const auto before = slurp(target);
  for (const char* name : {"ledger.db", "ledger.db-wal"}) {
    REQUIRE(::symlink(target.c_str(), (home.scratch / name).c_str()) == 0);
    CHECK(Ledger(home.agent).put_run(run_of(1)).error().kind == ErrorKind::kFailed);
    ::unlink((home.scratch / name).c_str());
  }
  REQUIRE(::link(target.c_str(), home.file().c_str()) == 0);
  Ledger ledger(home.agent);
  CHECK(ledger.put_run(run_of(1)).error().kind == ErrorKind::kFailed);
  REQUIRE(ledger.rebuild([] { return Result<void>(); }).ok());
  CHECK(ledger.put_run(run_of(1)).ok());
  CHECK(slurp(target) == before);
}

TEST_CASE("triggers and views of a ledger that came from elsewhere do nothing") {
  AgentFolder home;
  REQUIRE(Ledger(home.agent).put_run(run_of(1)).ok());
  sql(home.file(),
      "CREATE TRIGGER evil AFTER INSERT ON runs BEGIN DELETE FROM runs WHERE number = 1; END");
  Ledger ledger(home.agent);
  REQUIRE(ledger.put_run(run_of(2)).ok());
  CHECK(ledger.list_runs({}, 9)->size() == 2);
}

TEST_CASE("eight processes that make 200 runs each are all in the ledger") {
  AgentFolder home(memory_folder());
  REQUIRE(home.agent.make_dirs("runs").ok());
  REQUIRE(home.agent.make_dirs("live").ok());
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const Runs runs(home.agent);
      Ledger ledger(home.agent);
      for (int round = 0; round < 200; ++round) {
        auto made = runs.create();
        if (!made) ::_exit(1);
        auto run = run_of(static_cast<int>(id_number('R', made->id())));
        if (ledger.get_run(run.id).ok()) ::_exit(2);
        run.host_pid = ::getpid();
        const auto put = ledger.together([&]() -> Result<void> {
          return ledger.put_record({run, {{.key = "a"}, {.key = "b"}}, {}});
        });
        if (!put) ::_exit(3);
        if (!ledger.list_runs({.task = "task"}, 5)) ::_exit(4);
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
  Ledger ledger(home.agent);
  const auto runs = ledger.list_runs({}, 5000).value();
  CHECK(runs.size() == 1600);
  CHECK(runs.front().id == "R-1600");
  std::set<std::int64_t> makers;
  for (const auto& run : runs) makers.insert(*run.host_pid);
  CHECK(makers.size() == 8);
}

TEST_CASE("simultaneous first processes all find one ledger") {
  for (int round = 0; round < 40; ++round) {
    AgentFolder home(memory_folder());
    std::vector<pid_t> children;
    for (int i = 1; i <= 4; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        Ledger ledger(home.agent);
        ::_exit(ledger.put_run(run_of(i)).ok() ? 0 : 1);
      }
      children.push_back(child);
    }
    for (pid_t child : children) {
      int status = 1;
      while (::waitpid(child, &status, 0) < 0) {
      }
      CHECK(status == 0);
    }
    Ledger ledger(home.agent);
    CHECK(ledger.list_runs({}, 10).value().size() == 4);
  }
}

TEST_CASE("processes that are killed while they write leave a ledger that works") {
  AgentFolder home(memory_folder());
  for (int round = 0; round < 10; ++round) {
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        Ledger ledger(home.agent);
        for (int number = 1;; ++number) {
          const auto put = ledger.put_run(run_of(round * 10'000 + number));
          if (!put) ::_exit(1);
        }
      }
      children.push_back(child);
    }
    Ledger ledger(home.agent);
    const auto wanted = numbered_id('R', static_cast<std::uint64_t>(round) * 10'000 + 40);
    while (!ledger.get_run(wanted)) {
    }
    for (pid_t child : children) ::kill(child, SIGKILL);
    for (pid_t child : children) {
      int status = 0;
      while (::waitpid(child, &status, 0) < 0) {
      }
      CHECK(WIFSIGNALED(status));
    }
    CHECK(ledger.put_run(run_of(round * 10'000 + 9'999)).ok());
  }
  LedgerDb::State state;
  auto db = LedgerDb::open(home.agent, state);
  REQUIRE(db);
  CHECK((*db)->check().ok());
}

#ifdef __linux__
TEST_CASE("a full disk and a read-only one are clear errors of the ledger") {
  Scratch scratch;
  const int outcome = in_child([&] {
    if (!mount_tmpfs(scratch.path(), "size=600k")) return 9;
    auto agent = Dir::open(scratch.path());
    const char* path = scratch.path().c_str();
    {
      Ledger ledger(*agent);
      int number = 1;
      Result<void> put = ledger.put_run(run_of(number));
      for (; put.ok() && number < 100'000; ++number) put = ledger.put_run(run_of(number));
      if (put.ok() || put.error().message.find("ENOSPC") == std::string::npos) return 1;
      if (ledger.list_runs({}, 5)->size() != 5) return 2;
      if (::mount(nullptr, path, nullptr, MS_REMOUNT, "size=4m") != 0) return 9;
      if (!ledger.put_run(run_of(number))) return 3;
    }
    if (::mount(nullptr, path, nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return 9;
    Ledger reader(*agent);
    const auto error = reader.put_run(run_of(1)).error();
    if (error.kind != ErrorKind::kDenied) return 4;
    return error.message.find("EROFS") == std::string::npos ? 5 : 0;
  });
  if (outcome == 9) {
    WARN("skipped: this user may not mount");
    return;
  }
  CHECK(outcome == 0);
}
#endif

// A million rows take long, so this test runs only with MOONLET_SOAK.
TEST_CASE("the newest 50 of a million runs of one task") {
  if (std::getenv("MOONLET_SOAK") == nullptr) return;
  using Time = std::chrono::steady_clock;
  AgentFolder home;
  Ledger ledger(home.agent);
  const auto filling = Time::now();
  REQUIRE(ledger
              .rebuild([&]() -> Result<void> {
                for (int i = 1; i <= 1'000'000; ++i) {
                  auto run = run_of(i, "task", i % 1000 == 0 ? "failed" : "ok");
                  if (i < 60) run.verdict = "quota";
                  if (auto put = ledger.put_run(run); !put) return put;
                }
                return {};
              })
              .ok());
  WARN("filled in " << std::chrono::duration<double>(Time::now() - filling).count() << " s");
  const RunFilter filters[] = {{},
                               {.task = "task"},
                               {.task = "task", .verdict = "failed"},
                               {.task = "task", .verdict = "quota"},
                               {.task = "task", .status = "finished"},
                               {.task = "task", .preset = "review", .verdict = "quota"},
                               {.preset = "review", .verdict = "quota"},
                               {.task = "task", .status = "running"},
                               {.verdict = "quota"}};
  for (const auto& filter : filters) {
    std::vector<double> times;
    for (int i = 0; i < 101; ++i) {
      const auto start = Time::now();
      const auto runs = ledger.list_runs(filter, 50);
      times.push_back(std::chrono::duration<double, std::milli>(Time::now() - start).count());
      REQUIRE(runs.ok());
      CHECK(runs->size() == (filter.status == "running" ? 0 : 50));
    }
    std::sort(times.begin(), times.end());
    WARN(filter.task << "/" << filter.preset << "/" << filter.verdict << "/" << filter.status
                     << ": median " << times[50] << " ms, most " << times[100] << " ms");
  }
  std::vector<double> times;
  for (int i = 0; i < 21; ++i) {
    Ledger fresh(home.agent);
    const auto start = Time::now();
    REQUIRE(fresh.list_runs({.task = "task"}, 50).ok());
    times.push_back(std::chrono::duration<double, std::milli>(Time::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  WARN("with the opening: median " << times[10] << " ms");
}
