#include "host/artifact/ledger/record.h"

#include <string>
#include <utility>

#include "tests/catch.h"

using namespace moonlet;

namespace {

constexpr const char* kText = R"json({
  "id": "R-007", "task_id": "t1", "preset": "review", "runner_name": "codex", "model": null,
  "options": {"title": "a title", "reason": "again"}, "ended": true, "verdict": "failed",
  "exit_code": 1, "started_at": "2026-11-21T03:12:00.123Z", "ended_at": "2026-11-21T03:12:01.123Z",
  "duration_ms": 1000, "parent_run_id": "R-003", "sidecar": "sidecars/t1", "pid": 4711,
  "error": {"kind": "failed", "message": "it failed"},
  "steps": [
    {"key": "a", "kind": "agent", "status": "ok", "runner": "codex", "cached": true,
     "duration_ms": 5, "usage": {"input_tokens": 10, "output_tokens": 2, "cost_usd": 0.5,
     "cost_is": "reported", "total_tokens": null}, "error": null},
    {"key": "b", "kind": "exec", "status": "failed", "cached": false, "duration_ms": null,
     "usage": null, "error": {"message": "no"}}
  ]
})json";

}  // namespace

TEST_CASE("a run's record becomes rows of the ledger") {
  const auto record = ledger_record("R-007", kText).value();
  CHECK(record.run.id == "R-007");
  CHECK(record.run.task_id == "t1");
  CHECK(record.run.title == "a title");
  CHECK(record.run.runner == "codex");
  CHECK(record.run.model.empty());
  CHECK(record.run.status == "finished");
  CHECK(record.run.verdict == "failed");
  CHECK(record.run.exit_code == 1);
  CHECK(*record.run.ended_at - *record.run.started_at == 1000);
  CHECK(record.run.replay_reason == "again");
  CHECK(record.run.dir == "sidecars/t1");
  CHECK(record.run.error == "it failed");
  REQUIRE(record.steps.size() == 2);
  CHECK(record.steps[0].cached);
  CHECK(record.steps[1].seq == 2);
  CHECK_FALSE(record.steps[1].duration_ms);
  CHECK(record.steps[1].error == "no");
  REQUIRE(record.usage.size() == 1);
  CHECK(record.usage[0].step == "a");
  CHECK(record.usage[0].input == 10);
  CHECK_FALSE(record.usage[0].total);
  CHECK(record.usage[0].cost_usd == 0.5);
  CHECK(record.usage[0].day == "2026-11-21");
}

TEST_CASE("a record that lists the attempts has a usage for each, reported or not") {
  std::string text = kText;
  text.insert(text.rfind('}'), R"json(, "attempts": [
    {"step": "a", "number": 1, "runner": "codex"},
    {"step": "a", "number": 2, "runner": "codex", "model": "m-1",
     "usage": {"input_tokens": 10, "cost_usd": 0.5}},
    {"step": "a@2", "number": 1, "runner": "command", "usage": {"input_tokens": "ten"}},
    null])json");
  const auto record = ledger_record("R-007", text).value();
  CHECK(record.steps.size() == 2);
  REQUIRE(record.usage.size() == 4);
  CHECK(record.usage[0].attempt == 1);
  CHECK_FALSE(record.usage[0].input);
  CHECK(record.usage[1].step == "a");
  CHECK(record.usage[1].attempt == 2);
  CHECK(record.usage[1].model == "m-1");
  CHECK(record.usage[1].input == 10);
  CHECK(record.usage[1].day == "2026-11-21");
  CHECK(record.usage[2].runner == "command");
  CHECK_FALSE(record.usage[2].input);

  auto sorted = record;
  std::swap(sorted.usage[1], sorted.usage[2]);
  CHECK(ledger_differences(sorted, record).empty());

  text.replace(text.find("\"attempts\""), 10, "\"nothing\"");
  CHECK(ledger_record("R-007", text)->usage.size() == 1);
}

TEST_CASE("the state of a run is read from its record") {
  const auto status = [](const std::string& rest) {
    return ledger_record("R-001", R"({"id": "R-001")" + rest + "}")->run.status;
  };
  CHECK(status("") == "running");
  CHECK(status(R"(, "ended": false, "options": {"dry_run": true})") == "prepared");
  CHECK(status(R"(, "ended": true, "verdict": "ok", "options": {"dry_run": true})") == "finished");
  CHECK(status(R"(, "ended": true, "verdict": "needs-human")") == "parked");
  CHECK(status(R"(, "ended": true, "verdict": "quota")") == "parked");
}

TEST_CASE("a record with missing or mistyped fields is read without them, or refused") {
  const auto odd = ledger_record("R-001",
                                 R"({"id": "R-001", "task_id": 7, "options": [], "steps": [1, null,
    {"key": "a", "usage": []}], "error": "text", "started_at": "yesterday", "exit_code": 1.5})")
                       .value();
  CHECK(odd.run.task_id.empty());
  CHECK_FALSE(odd.run.started_at);
  CHECK_FALSE(odd.run.exit_code);
  CHECK(odd.steps.size() == 3);
  CHECK(odd.usage.empty());
  for (const char* text : {"", "[]", "null", "{", R"({"id": "R-002"})", R"({"id": 1})"}) {
    CHECK(ledger_record("R-001", text).error().kind == ErrorKind::kInvalid);
  }
}

TEST_CASE("differences of two records name their places") {
  const auto record = ledger_record("R-007", kText).value();
  CHECK(ledger_differences(record, record).empty());
  auto other = record;
  other.run.verdict = "ok";
  other.run.exit_code.reset();
  other.steps[1].status = "ok";
  other.steps.push_back(other.steps[0]);
  other.steps[2].key = "c";
  other.usage.clear();
  CHECK(ledger_differences(other, record) ==
        std::vector<std::string>{"verdict (ok, not failed)", "exit_code (nothing, not 1)",
                                 "step 'b': status (ok, not failed)",
                                 "step 'c' (the run has no such)", "usage of 'a' (is not there)"});
}
