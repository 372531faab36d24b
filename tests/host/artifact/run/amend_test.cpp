#include "host/artifact/run/amend.h"

#include "host/base/digest.h"
#include "tests/catch.h"
#include "tests/host/artifact/journal/fixture.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

struct Parked {
  Scratch scratch;
  Dir agent;
  RunDir run;
  SystemClock clock;
  Loop loop{clock};

  Parked() : agent(make(scratch)), run(std::move(*Runs(agent).create())) {
    spit(scratch / "runs/R-001/run.json", "{}");
  }
  static Dir make(const Scratch& scratch) {
    auto dir = Dir::open(scratch.path());
    for (const char* name : {"runs", "live", "sidecars"}) (void)dir->make_dirs(name);
    return std::move(*dir);
  }
  Result<Amended> amend(const std::string& was,
                        const std::string& body = R"({"type":"decision"})") {
    return amend_run(loop, agent, run, {body, was, "sidecars/decision.md", "approved\n"});
  }
  std::string journal() const { return slurp(scratch / "runs/R-001/steps.jsonl"); }
  std::string decision() const { return slurp(scratch / "sidecars/decision.md"); }
};

}  // namespace

TEST_CASE("a record and its file are added to a run that nobody drives") {
  Parked parked;
  const auto amended = parked.amend(sha256_hex("{}"));
  REQUIRE(amended);
  CHECK(amended->done);
  CHECK_FALSE(amended->unrecorded);
  CHECK(parked.journal().find("decision") != std::string::npos);
  CHECK(parked.decision() == "approved\n");
  CHECK(parked.run.lock().ok());
}

TEST_CASE("a run whose run.json was rewritten takes no addition") {
  Parked parked;
  const auto amended = parked.amend(sha256_hex("older"));
  REQUIRE(amended);
  CHECK_FALSE(amended->done);
  CHECK_FALSE(amended->unrecorded);
  CHECK(parked.journal().empty());
  CHECK(parked.decision().empty());
}

TEST_CASE("a record that the journal cannot have does not keep a decision from its file") {
  Parked parked;
  const auto amended = parked.amend("", "no object");
  REQUIRE(amended);
  CHECK(amended->done);
  CHECK(amended->unrecorded->kind == ErrorKind::kInvalid);
  CHECK(parked.decision() == "approved\n");
}
