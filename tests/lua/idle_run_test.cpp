// Tests the record of a run that no host drives. tests/e2e/run/stale-state-is-reread tests whole
// commands.
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"
#include "tests/lua/fixture.h"

using namespace moonlet;
using namespace moonlet::test;

TEST_CASE("a record that rests on an older run.json is not written, nor its file") {
  Scratch scratch;
  std::filesystem::create_directories(scratch / ".agent/runs/R-001");
  spit(scratch / ".agent/runs/R-001/run.json", "ended ok");
  const std::string agent = scratch.path() + "/.agent";
  CHECK(LuaFixture().run(R"(
    local home = core.run.home(")" +
                         scratch.path() + R"(").handle
    local root = core.file.root(")" +
                         agent + R"(")
    local function put(was, text)
      return (core.audit.record(home, "R-001", '{"type":"over"}', core.text.sha256(was), "runs/R-001/run.json", text))
    end
    local function now() return core.file.read(root, "runs/R-001/run.json", 100) end
    local late = put("parked", "cancelled")
    local kept, written = now(), core.file.stat(root, "runs/R-001/steps.jsonl")
    local done = put("ended ok", "decided")
    return late, kept, written and written.size, done, (now()))") ==
        "false,ended ok,nil,true,decided");
}
