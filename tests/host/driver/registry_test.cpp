#include "host/driver/registry.h"

#include <unistd.h>

#include <filesystem>
#include <optional>

#include "host/base/digest.h"
#include "tests/catch.h"
#include "tests/host/artifact/journal/fixture.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

struct Parked {
  Scratch scratch;
  SystemClock clock;
  Loop loop{clock};
  Home home = std::move(*Home::find(scratch.path()));
  RunRegistry registry{home};

  Parked() {
    (void)Runs(**home.make()).create();
    spit(scratch / ".agent/runs/R-001/run.json", "{}");
  }
  Result<RunLock> lock() {
    auto wait = *registry.lock(loop, "R-001");
    while (!wait->done()) loop.run_once();
    return std::move(wait->lock());
  }
  Result<Amended> amend(const RunLock& held, const std::string& was,
                        const std::string& body = R"({"type":"decision"})") {
    return registry.amend(loop, "R-001", held, {body, was, "sidecars/decision.md", "approved\n"});
  }
  Result<Amended> amend(const std::string& was,
                        const std::string& body = R"({"type":"decision"})") {
    auto held = lock();
    if (!held) return held.error();
    return amend(*held, was, body);
  }
  std::string journal() const { return slurp(scratch / ".agent/runs/R-001/steps.jsonl"); }
  std::string decision() const { return slurp(scratch / ".agent/sidecars/decision.md"); }
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
  CHECK(parked.lock().ok());
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

TEST_CASE("a damaged journal does not keep a decision from its file") {
  Parked parked;
  REQUIRE(parked.amend("")->done);
  std::string text = parked.journal();
  text[text.size() / 2] ^= 1;
  spit(parked.scratch / ".agent/runs/R-001/steps.jsonl", text);
  std::filesystem::remove(parked.scratch / ".agent/sidecars/decision.md");
  const auto amended = parked.amend("");
  REQUIRE(amended);
  CHECK(amended->done);
  CHECK(amended->unrecorded->message.find("is damaged") != std::string::npos);
  CHECK(parked.decision() == "approved\n");
  CHECK(parked.journal() == text);
}

TEST_CASE("a run that is driven is refused at once, with the driver's pid") {
  Parked parked;
  const auto driver = parked.registry.open("R-001")->try_lock();
  REQUIRE(driver.lock.ok());
  const auto error = parked.lock().error();
  CHECK(error.kind == ErrorKind::kFailed);
  CHECK(error.message.find("driven by process " + std::to_string(::getpid())) != std::string::npos);
  CHECK(parked.registry.holder("R-001") == ::getpid());
}

TEST_CASE("an addition whose lock is taken away changes nothing") {
  Parked parked;
  const auto held = parked.lock();
  REQUIRE(held.ok());
  std::filesystem::remove(parked.scratch / ".agent/runs/R-001/lock");
  const auto driver = parked.lock();
  REQUIRE(driver.ok());
  CHECK(parked.amend(*held, "").error().kind == ErrorKind::kDenied);
  CHECK(parked.registry.end_orphans("R-001", *held).error().kind == ErrorKind::kDenied);
  CHECK(parked.journal().find("decision") == std::string::npos);
  CHECK(parked.decision().empty());
  CHECK(Runs(**parked.home.existing()).live()->size() == 1);
}

TEST_CASE("a wait for a lock that is cancelled ends without the lock") {
  Parked parked;
  const auto run = parked.registry.open("R-001");
  std::optional<RunLock> passing = *run->try_lock(TakeOver::kNo, Hold::kPass).lock;
  auto wait = *parked.registry.lock(parked.loop, "R-001");
  CHECK_FALSE(wait->done());
  wait->cancel();
  REQUIRE(wait->done());
  CHECK(wait->lock().error().kind == ErrorKind::kCancelled);
  auto second = *parked.registry.lock(parked.loop, "R-001");
  passing.reset();
  while (!second->done()) parked.loop.run_once();
  CHECK(second->lock().ok());
}
