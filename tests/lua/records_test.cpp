// Tests the records of a run and of an agent call: closed fields, constant fields, and the list of
// events.
#include "tests/catch.h"
#include "tests/lua/fixture.h"

using namespace moonlet;

TEST_CASE("an attempt does not change, and its kind says whether it repairs an answer") {
  CHECK(LuaFixture()
            .run(R"(
    local attempts = require "moonlet.engine.agent.attempt"
    local repair = attempts.new { kind = "repair", number = 2, prompt = "p", tree = "t" }
    local adopted = attempts.new { kind = "adopted", number = 2, prompt = "p", state = "exited", repairs = true }
    local first = attempts.new { kind = "first", number = 1, prompt = "p" }
    local anew = attempts.anew(repair, "whole")
    return repair.repairs, adopted.repairs, first.repairs, anew.kind, anew.prompt, anew.number, anew.tree,
      pcall(function() first.number = 2 end))")
            .find("true,true,false,retry,whole,2,t,false,") == 0);
}

TEST_CASE("a run is a closed class") {
  CHECK(LuaFixture().run(R"(
    local run = require "moonlet.engine.run.class".new { id = "R-001" }
    run.verdict = "ok"
    local ok, err = pcall(function() run.colour = "red" end)
    return run.id, run.verdict, ok, err:match "a run has no field 'colour'", run.colour)") ==
        "R-001,ok,false,a run has no field 'colour',nil");
}

TEST_CASE("an execution inherits its call and lets only its own fields change") {
  CHECK(LuaFixture().run(R"(
    local execution = require "moonlet.engine.agent.execution"
    local job = execution.new({ model = "m" }, "key", "dir")
    job.ended = "exited"
    return job.model, job.key, job.ended, (pcall(function() job.model = "n" end)))") ==
        "m,key,exited,false");
}

TEST_CASE("the library reads the kinds of events that the host knows") {
  CHECK(LuaFixture().run(R"(
    local found, known = core.event.kinds(), 0
    for _, kind in ipairs(found.kinds) do
      known = known + (pcall(core.event.emit, kind.name, nil, {}) and 1 or 0)
    end
    return found.version, #found.kinds, known, (pcall(core.event.emit, "other", nil, {})))") ==
        "1,24,24,false");
}
