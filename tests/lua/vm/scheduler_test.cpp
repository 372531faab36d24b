#include "lua/vm/scheduler.h"

#include "tests/catch.h"
#include "tests/lua/fixture.h"

using namespace moonlet;

namespace {

std::string run(const std::string& text) { return LuaFixture().run(text); }

// Makes a run that has only the fields that scopes need.
const std::string kScope = R"(
  local scope = require "moonlet.engine.context.scope"
  require "moonlet.engine.run.verbs"
  local run = { limit = 8, emit = function() end, note_degraded = function(_, k, n) degraded = k .. "/" .. n end }
  local function body(fn, options) return scope.body(run, "", options or {}, fn) end
)";

}  // namespace

TEST_CASE("a task returns what its function returned") {
  CHECK(run("return 1, 'b', nil, true") == "1,b,nil,true");
  CHECK(run("error('plain')") == "error: failed: plain");
  CHECK(run("error({kind = 'denied', message = 'no'})") == "error: denied: no");
  CHECK(run("error(nil)") == "error: failed: a nil value was raised as an error");
  CHECK(run("error(setmetatable({}, {__tostring = function() error('x') end}))").find("error:") ==
        0);
}

TEST_CASE("sleep waits by the clock") {
  CHECK(run("local t = core.clock.monotonic(); core.task.sleep(1500); return "
            "core.clock.monotonic() - t") == "1500");
}

TEST_CASE("a verb that acts hears of the end and of deadlines in a loop that never waits") {
  const std::string loop =
      "local done = 0 "
      "local ok, err = pcall(function() while true do core.task.check() done = done + 1 pass() end "
      "end) "
      "return done, err.kind, err.message";
  LuaFixture lua;
  push_module_environment(lua.state.main(), true);
  lua_pushlightuserdata(lua.state.main(), &lua.clock);
  lua_pushcclosure(
      lua.state.main(),
      [](lua_State* L) {
        static_cast<FakeClock*>(lua_touserdata(L, lua_upvalueindex(1)))->advance(10);
        return 0;
      },
      1);
  lua_setfield(lua.state.main(), -2, "pass");
  lua_pop(lua.state.main(), 1);
  CHECK(lua.run("local scope = core.task.open_scope { timeout = 95, what = 'the loop' } " + loop) ==
        "10,timeout,the loop took longer than 95 ms");
  int asked = 0;
  lua.on_idle = [&](Scheduler& scheduler) { scheduler.end_asked = [&] { return ++asked > 3; }; };
  CHECK(lua.run("core.task.sleep(1) " + loop) == "3,cancelled,cancelled by the user");
}

TEST_CASE("a task that only watches does not keep the others from parking") {
  const std::string text = R"(
    local beside = require "moonlet.engine.base.background"
    beside.during(function() for _ = 1, 3 do core.task.NAP(1000) end end, core.task.park)
    return core.clock.monotonic())";
  const auto with = [&](const std::string& nap) {
    std::string own = text;
    return run(own.replace(own.find("NAP"), 3, nap));
  };
  CHECK(with("watch_sleep") == "0");
  CHECK(with("sleep") == "3000");
}

TEST_CASE("awaits inside a script's own coroutine reach the scheduler") {
  CHECK(run(R"(
    local co = coroutine.create(function(a)
      core.task.sleep(100)
      local b = coroutine.yield(a + 1)
      core.task.sleep(100)
      return b * 2
    end)
    local _, first = coroutine.resume(co, 1)
    local _, second = coroutine.resume(co, 21)
    local wrapped = coroutine.wrap(function() core.task.sleep(50) return "w" end)
    return first, second, wrapped(), coroutine.status(co), core.clock.monotonic())") ==
        "2,42,w,dead,250");
  CHECK(run("coroutine.yield(1)").find("error: invalid") == 0);
  CHECK(run(R"(
    local co = coroutine.wrap(function() core.task.sleep(1) error("inside", 0) end)
    local ok, err = pcall(co)
    return ok, err)") == "false,inside");
}

TEST_CASE("places that cannot wait say so") {
  CHECK(run("table.sort({3, 2, 1}, function(a, b) core.task.sleep(1) return a < b end)") ==
        "error: invalid: code at this place may not wait");
}

TEST_CASE("many tasks come and go without leaving anything") {
  LuaFixture lua;
  const std::string text = kScope + R"(
    body(function(ctx)
      local items = {}
      for i = 1, 2000 do items[i] = i end
      ctx:parallel(items, function(c, i) c:sleep(0.001) return i end, { limit = 64 })
    end)
    collectgarbage() collectgarbage()
    return collectgarbage("count") < 2000)";
  CHECK(lua.run(text) == "true");
  CHECK(lua.run(text) == "true");
}

TEST_CASE("a script that never waits is killed, whatever it catches") {
  LuaLimits limits;
  limits.run_ms = 50;
  LuaFixture lua(limits);
  CHECK(lua.run("while true do pcall(function() while true do end end) end").find("killed: ") == 0);
}

TEST_CASE("a script that takes all memory is killed, whatever it catches") {
  LuaLimits limits;
  limits.memory_bytes = std::size_t{16} << 20;
  LuaFixture lua(limits);
  CHECK(lua.run("local t = {} while true do pcall(function() while true do t[#t + 1] = "
                "('x'):rep(1000) .. #t end end) end")
            .find("killed: the script used more than 16 MB") == 0);
  CHECK(lua.state.memory_used() < (std::size_t{18} << 20));
}

TEST_CASE("a stopped clock counts no time, as often as it was stopped") {
  CHECK(run(R"(
    local scope = core.task.open_scope { timeout = 100, what = "it" }
    core.task.sleep(60)
    core.task.stop_clock(scope)
    core.task.stop_clock(scope)
    core.task.sleep(500)
    core.task.start_clock(scope)
    core.task.sleep(500)
    core.task.start_clock(scope)
    core.task.start_clock(scope)
    core.task.sleep(30)
    local ok, err = pcall(core.task.sleep, 500)
    return ok, err.message, core.clock.monotonic())") == "false,it took longer than 100 ms,1100");
}

TEST_CASE("without a scope the clocks of all shields around are stopped, and no others") {
  CHECK(run(R"(
    local function within(shield, fn)
      local scope = core.task.open_scope { timeout = 100, shield = shield, what = "it" }
      local ok, err = pcall(fn)
      core.task.close_scope(scope)
      return ok, err
    end
    local function wait()
      core.task.stop_clock()
      local ok, err = pcall(core.task.sleep, 200)
      core.task.start_clock()
      if not ok then error(err, 0) end
    end
    local both = within(true, function() assert(within(true, wait)) core.task.sleep(50) end)
    return both, (within(false, wait)))") == "true,false");
}
