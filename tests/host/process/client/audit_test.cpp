#include "host/process/client/audit.h"

#include <unistd.h>

#include "host/base/digest.h"
#include "host/process/wire/keeper_log.h"
#include "tests/catch.h"
#include "tests/host/artifact/journal/fixture.h"

using namespace moonlet;
using namespace moonlet::test;
using nlohmann::json;

namespace {

void write_journal(const JournalRun& run, const std::vector<json>& bodies) {
  JournalDriver driver;
  REQUIRE(driver.open(run.dir()).message.empty());
  for (const json& body : bodies) REQUIRE(driver.wait(driver.journal->append(body.dump())));
}

/// Writes a log in which one keeper started these attempts.
void write_keeper_log(const JournalRun& run, const std::vector<std::string>& attempts) {
  auto fd = open_keeper_log(run.dir().fd(), false);
  REQUIRE(fd);
  KeeperRecord record;
  record.token = "abc";
  std::string log = keeper_line(record);
  std::uint32_t number = 0;
  for (const std::string& attempt : attempts) {
    const StartLine start =
        start_line(++number, attempt.substr(0, attempt.find('@')), attempt, 1, 2, 0);
    log += start.prefix + "100" + start.suffix;
  }
  REQUIRE(::write(*fd, log.data(), log.size()) == static_cast<ssize_t>(log.size()));
  ::close(*fd);
}

json begin(const std::string& key, int attempt, const std::string& runner = "codex") {
  return {{"type", "begin"}, {"key", key}, {"attempt", attempt}, {"runner", runner}};
}

json end(const std::string& key, const json& value = json::object()) {
  return {{"type", "end"}, {"key", key}, {"status", "ok"}, {"verb", "agent"}, {"result", value}};
}

json audit(const JournalRun& run, const std::string& value = {}) {
  auto result = audit_run(run.dir(), value, nullptr);
  REQUIRE(result);
  return *result;
}

}  // namespace

TEST_CASE("an audit finds no difference where journal and keeper log agree") {
  const JournalRun run;
  write_journal(run, {{{"type", "drive"}},
                      begin("a", 1),
                      end("a", {{"text", "fine"}}),
                      {{"type", "over"}, {"verdict", "ok"}}});
  write_keeper_log(run, {"a@1"});
  const json result = audit(run);
  CHECK(result["records"] == 4);
  for (const char* list : {"unlogged", "unbegun", "played", "acted"}) CHECK(result[list].empty());
  CHECK(result["answers"] == json::array({{{"key", "a"}, {"sha256", sha256_hex("fine")}}}));
  CHECK(result["marks"] ==
        json::array({{{"type", "drive"}}, {{"type", "over"}, {"verdict", "ok"}}}));
  CHECK_FALSE(result.contains("line"));
}

TEST_CASE("an audit names attempts that only the journal or only the keeper log has") {
  const JournalRun run;
  write_journal(run, {begin("a", 1), end("a"), begin("b", 2), end("b")});
  write_keeper_log(run, {"b@2", "c@1", "probe"});
  const json result = audit(run);
  CHECK(result["unlogged"] == json::array({{{"key", "a"}, {"attempt", 1}}}));
  CHECK(result["unbegun"] == json::array({"c@1"}));
}

TEST_CASE("an audit expects no remote attempt in the keeper's log") {
  const JournalRun run;
  write_journal(run, {begin("a", 1),
                      {{"type", "remote"}, {"key", "a"}, {"id", "a@1"}, {"on", "ssh:big"}},
                      end("a"),
                      begin("a", 2),
                      end("a")});
  write_keeper_log(run, {});
  CHECK(audit(run)["unlogged"] == json::array({{{"key", "a"}, {"attempt", 2}}}));
}

TEST_CASE("an audit distinguishes the attempts that a cassette played from those that it started") {
  const JournalRun run;
  write_journal(run, {begin("a", 1, "cassette"), end("a"), begin("b", 1, "cassette"), end("b")});
  write_keeper_log(run, {"b@1"});
  const json result = audit(run);
  CHECK(result["unlogged"].empty());
  CHECK(result["played"] == json::array({{{"key", "a"}, {"attempt", 1}}}));
  CHECK(result["acted"] == json::array({"b@1"}));
}

TEST_CASE("an audit finds large values that are missing, damaged or of nobody") {
  const JournalRun run;
  const std::string fine = sha256_hex("fine"), damaged = sha256_hex("old");
  write_journal(run, {{{"type", "fact"}, {"result", {{"$value", fine}}}},
                      {{"type", "fact"}, {"result", {{"$value", damaged}}}},
                      {{"type", "fact"}, {"result", {{"$value", "gone"}}}}});
  std::filesystem::create_directory(run.path() + "/values");
  spit(run.path() + "/values/" + fine, "fine");
  spit(run.path() + "/values/" + damaged, "new");
  spit(run.path() + "/values/extra", "x");
  const json values = audit(run, "of run.json")["values"];
  CHECK(values["missing"] == json::array({"gone", "of run.json"}));
  CHECK(values["damaged"] == json::array({damaged}));
  CHECK(values["extra"] == 1);
}

TEST_CASE("an audit names the line of a journal that was changed") {
  const JournalRun run;
  write_journal(run, {begin("a", 1), end("a")});
  std::string text = slurp(run.file());
  text.replace(text.find("codex"), 5, "xedoc");
  spit(run.file(), text);
  const json result = audit(run);
  CHECK(result["line"] == 1);
  CHECK_FALSE(result["why"].get<std::string>().empty());
}
