#include "host/artifact/run/ledger_fill.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <ctime>

#include "host/artifact/run/directory.h"
#include "host/base/id.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

struct Place {
  Scratch scratch;
  Dir agent;
  Ledger ledger;
  Place() : agent(std::move(*Dir::open(scratch.path()))), ledger(agent) {
    REQUIRE(agent.make_dirs("runs").ok());
    REQUIRE(agent.make_dirs("live").ok());
  }

  std::string make_run(bool ended = true) {
    auto run = Runs(agent).create();
    write_record(run->id(), "ok");
    if (ended) REQUIRE(Runs(agent).mark_finished(run->id()).ok());
    return run->id();
  }
  void write_record(const std::string& id, const std::string& verdict) {
    spit(scratch / ("runs/" + id + "/run.json"),
         R"({"id": ")" + id + R"(", "ended": true, "verdict": ")" + verdict + R"("})");
  }
  std::vector<std::string> known() {
    std::vector<std::string> ids;
    const auto runs = ledger.list_runs({}, 1000).value();
    for (const auto& run : runs) ids.push_back(run.id);
    return ids;
  }
  LedgerFill complete() { return complete_ledger(ledger, agent).value(); }
};

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("a ledger takes in the runs that it does not know") {
  Place place;
  CHECK(place.complete().runs == 0);
  place.make_run();
  place.make_run();
  CHECK(place.complete().runs == 2);
  CHECK(place.complete().runs == 0);
  CHECK(place.ledger.complete_to().value() == 2);
  place.make_run();
  LedgerRun own;
  own.id = place.make_run();
  REQUIRE(place.ledger.put_run(own).ok());
  CHECK(place.complete().runs == 1);  // R-003: there is a gap before R-004
  CHECK(place.known() == Ids{"R-004", "R-003", "R-002", "R-001"});
  CHECK(place.ledger.complete_to().value() == 4);
}

TEST_CASE("known runs of a ledger stay as they are until it is rebuilt") {
  Place place;
  const auto id = place.make_run();
  place.complete();
  place.write_record(id, "failed");
  CHECK(place.complete().runs == 0);
  CHECK(place.ledger.get_run(id)->verdict == "ok");
  CHECK(rebuild_ledger(place.ledger, place.agent)->runs == 1);
  CHECK(place.ledger.get_run(id)->verdict == "failed");
}

TEST_CASE("runs that the ledger shows as running are checked again") {
  Place place;
  const auto id = place.make_run();
  LedgerRun row;
  row.id = id;
  row.status = "running";
  REQUIRE(place.ledger.put_run(row).ok());
  place.complete();
  CHECK(place.ledger.get_run(id)->status == "finished");
}

TEST_CASE("a run that is being made is added later, and a run that never began is not added") {
  Place place;
  const auto begun = place.make_run(false);
  std::filesystem::remove(place.scratch / ("runs/" + begun + "/run.json"));
  const auto dead = place.make_run();
  std::filesystem::remove(place.scratch / ("runs/" + dead + "/run.json"));
  const auto whole = place.make_run();
  auto fill = place.complete();
  CHECK(fill.runs == 1);
  CHECK(fill.skipped == 1);
  CHECK(place.known() == Ids{whole});
  CHECK(place.ledger.complete_to().value() == 0);
  place.write_record(begun, "ok");
  CHECK(place.complete().runs == 1);
  CHECK(place.known() == Ids{whole, begun});
}

TEST_CASE("a gap in the numbers costs one look, and a far number is found by its mark") {
  Place place;
  place.make_run();
  spit(place.scratch / "runs/.last", "R-500\n");
  REQUIRE(place.agent.make_dirs("runs/R-500").ok());
  place.write_record("R-500", "ok");
  REQUIRE(Runs(place.agent).mark_live("R-500").ok());
  CHECK(place.complete().runs == 2);
  CHECK(place.known() == Ids{"R-500", "R-001"});
  CHECK(place.ledger.complete_to().value() == 500);
}

TEST_CASE("a run whose folder was just made, and is not marked yet, is not passed over") {
  Place place;
  REQUIRE(place.agent.make_dirs("runs/R-001").ok());
  CHECK(place.complete().runs == 0);
  CHECK(place.ledger.complete_to().value() == 0);
  place.write_record("R-001", "ok");
  CHECK(place.complete().runs == 1);
  // An empty run folder that is older than a minute is left over from a killed host.
  REQUIRE(place.agent.make_dirs("runs/R-002").ok());
  const timespec hour_ago[2] = {{::time(nullptr) - 3600, 0}, {::time(nullptr) - 3600, 0}};
  REQUIRE(::utimensat(AT_FDCWD, (place.scratch / "runs/R-002").c_str(), hour_ago, 0) == 0);
  CHECK(place.complete().skipped == 1);
  CHECK(place.ledger.complete_to().value() == 2);
}

TEST_CASE("folders that are no runs, and damaged records, are skipped") {
  Place place;
  place.make_run();
  REQUIRE(place.agent.make_dirs("runs/notes").ok());
  REQUIRE(place.agent.make_dirs("runs/R-002").ok());
  spit(place.scratch / "runs/R-002/run.json", "{");
  spit(place.scratch / "runs/R-003", "a file");
  const auto fill = rebuild_ledger(place.ledger, place.agent).value();
  CHECK(fill.runs == 1);
  CHECK(fill.skipped == 1);
}

TEST_CASE("a damaged ledger is filled anew") {
  Place place;
  for (int i = 0; i < 3; ++i) place.make_run();
  spit(place.scratch / "ledger.db", std::string(9000, 'x'));
  CHECK_FALSE(complete_ledger(place.ledger, place.agent).ok());
  CHECK(rebuild_ledger(place.ledger, place.agent)->runs == 3);
  CHECK(place.known() == Ids{"R-003", "R-002", "R-001"});
}

TEST_CASE("a stale ledger is marked until somebody rebuilds it") {
  Place place;
  CHECK_FALSE(is_ledger_stale(place.agent));
  REQUIRE(mark_ledger_stale(place.agent).ok());
  REQUIRE(mark_ledger_stale(place.agent).ok());
  CHECK(is_ledger_stale(place.agent));
  REQUIRE(unmark_ledger_stale(place.agent).ok());
  REQUIRE(unmark_ledger_stale(place.agent).ok());
  CHECK_FALSE(is_ledger_stale(place.agent));
}

TEST_CASE("a run's record replaces all that was there of it") {
  Place place;
  LedgerRecord record;
  record.run.id = "R-001";
  record.steps = {{.key = "a"}, {.key = "b"}};
  record.usage = {{.step = "a"}};
  REQUIRE(place.ledger.put_record(record).ok());
  record.steps = {{.key = "c"}};
  record.usage.clear();
  REQUIRE(place.ledger.put_record(record).ok());
  const auto read = place.ledger.get_record("R-001").value();
  REQUIRE(read.steps.size() == 1);
  CHECK(read.steps[0].key == "c");
  CHECK(read.usage.empty());
  REQUIRE(place.ledger.remove_run("R-001").ok());
  CHECK(place.ledger.get_record("R-001").error().kind == ErrorKind::kInvalid);
  CHECK(place.ledger.steps_of("R-001")->empty());
}

TEST_CASE("a ledger that others keep busy fails when the patience is over") {
  Place place;
  LedgerRun run;
  run.id = "R-001";
  REQUIRE(place.ledger.put_run(run).ok());
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open((place.scratch / "ledger.db").c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  place.ledger.set_patience(20);
  CHECK(place.ledger.put_run(run).error().kind == ErrorKind::kTimeout);
  CHECK(place.ledger.get_run("R-001").ok());  // readers do not wait for writers
  sqlite3_close(other);
  CHECK(place.ledger.put_run(run).ok());
}
