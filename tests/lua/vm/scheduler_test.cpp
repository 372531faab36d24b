#include "lua/vm/scheduler.h"

#include "tests/catch.h"
#include "tests/lua/fixture.h"

using namespace moonlet;

namespace {

std::string run(const std::string& text) { return LuaFixture().run(text); }

// A run with just what scopes need.
const std::string kScope = R"(
  local scope = require "moonlet.engine.context.scope"
  require "moonlet.engine.run.verbs"
  local run = { limit = 8, emit = function() end, note_degraded = function(_, k, n) degraded = k .. "/" .. n end }
  local function body(fn, options) return scope.body(run, "", options or {}, fn) end
)";

std::string scoped(const std::string& text) { return run(kScope + text); }

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

TEST_CASE("tasks run side by side and a scope waits for all of them") {
  CHECK(scoped(R"(
    local order = {}
    body(function(ctx)
      for i = 3, 1, -1 do
        ctx:spawn("side", function(c) c:sleep(i / 100); order[#order + 1] = i end)
      end
    end)
    return table.concat(order, " "))") == "1 2 3");
}

TEST_CASE("the first failure that nobody observes cancels the siblings") {
  CHECK(scoped(R"(
    local ended = {}
    local ok, err = pcall(body, function(ctx)
      ctx:spawn("side", function(c) c:finally(function() ended[#ended + 1] = "sibling" end) c:sleep("1h") end)
      ctx:spawn("side", function(c) c:sleep(0.01) error({ kind = "failed", message = "boom" }) end)
      ctx:sleep("1h")
    end)
    return ok, err.message, core.clock.monotonic(), ended[1])") == "false,boom,10,sibling");
}

TEST_CASE("a failure that is joined is data") {
  CHECK(scoped(R"(
    return body(function(ctx)
      local task = ctx:spawn("side", function(c) c:sleep(0.01) error({ kind = "failed", message = "boom" }) end)
      local ok, err = pcall(task.join, task)
      ctx:sleep(0.01)
      return ok, err.message
    end))") == "false,boom");
}

TEST_CASE("timeouts nest, and the outer one wins") {
  CHECK(scoped(R"(
    return body(function(ctx)
      local ok, err = pcall(ctx.scope, ctx, { timeout = "1s" }, function(s)
        return s:scope({ timeout = "5s" }, function(inner) inner:sleep("1h") end)
      end)
      ctx:sleep("1s")
      return ok, err.kind, core.clock.monotonic()
    end))") == "false,timeout,2000");
  CHECK(scoped(R"(
    return body(function(ctx)
      return ctx:scope({ timeout = "5s" }, function(s)
        local ok, err = pcall(s.scope, s, { timeout = "1s" }, function(inner) inner:sleep("1h") end)
        return ok, err.kind, core.clock.monotonic()
      end)
    end))") == "false,timeout,1000");
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

TEST_CASE("a cancelled scope raises at every await until it is left") {
  CHECK(scoped(R"(
    return body(function(ctx)
      local count = 0
      local ok, err = pcall(ctx.scope, ctx, { timeout = "1s" }, function(s)
        for _ = 1, 3 do
          if not pcall(s.sleep, s, "1h") then count = count + 1 end
        end
        s:sleep("1h")
      end)
      return count, ok, err.kind, core.clock.monotonic()
    end))") == "3,false,timeout,1000");
}

TEST_CASE("finally runs after a cancel, may wait, and has a deadline of its own") {
  CHECK(scoped(R"(
    local seen
    local ok, err = pcall(body, function(ctx)
      ctx:scope({ timeout = "1s" }, function(s)
        s:finally(function() core.task.sleep(500) seen = core.clock.monotonic() end)
        s:sleep("1h")
      end)
    end)
    return ok, err.kind, seen)") == "false,timeout,1500");
  CHECK(scoped(R"(
    local ok, err = pcall(body, function(ctx)
      ctx:finally(function() core.task.sleep(3600000) end)
    end)
    return ok, err.kind, core.clock.monotonic())") == "false,timeout,10000");
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

TEST_CASE("names in keys are unambiguous, and plain ones stay as they are") {
  CHECK(run(R"(
    local state = require "moonlet.engine.context.context"
    local parts, back = {}, true
    for i, name in ipairs { "review", "100%", "a/b#2", "50%2F", "%%2F", "%/", "" } do
      parts[i] = state.part({}, name)
      back = back and state.plain(parts[i]) == name
    end
    local old = { plain_names = true, stand_ins = require "moonlet.engine.journal.input_hash".stand_ins() }
    parts[#parts + 1] = state.part({ journal = old }, "a/b#2")
    return back, table.concat(parts, " "))") ==
        "true,review 100% a%2Fb%232 50%252F %%252F %%2F  a/b#2");
}

TEST_CASE("parallel keeps the order of the items and its limit") {
  CHECK(scoped(R"(
    local now, most = 0, 0
    local values = body(function(ctx)
      return (ctx:parallel({ 5, 4, 3, 2, 1 }, function(c, item)
        now = now + 1
        most = math.max(most, now)
        c:sleep(item / 100)
        now = now - 1
        return item * 10
      end, { limit = 2 }))
    end)
    return most, table.concat(values, " "))") == "2,50 40 30 20 10");
}

TEST_CASE("parallel with need returns failures as losses") {
  const std::string lenses = R"(
    local function review(c, item) if item < 0 then error({ kind = "failed", message = "bad " .. item }) end return item end
  )";
  CHECK(scoped(lenses + R"(
    local values, lost = body(function(ctx) return ctx:parallel({ 1, -2, 3 }, review, { need = 2 }) end)
    return #values, values[1], values[3], #lost, lost[1].branch, lost[1].kind, lost[1].message, degraded)") ==
        "3,1,3,1,2,failed,bad -2,2/3");
  CHECK(scoped(lenses + R"(
    local ok, err = pcall(body, function(ctx) return ctx:parallel({ -1, -2, 3 }, review, { need = 2 }) end)
    return ok, err.kind, err.message)") ==
        "false,quorum,2 of 3 failed, and 2 must succeed; the first failure: bad -1");
  CHECK(scoped(lenses + R"(
    local all = body(function(ctx) return (ctx:parallel({ 1, -2 }, review, { settle = true })) end)
    return all[1].ok, all[1].value, all[2].ok, all[2].error.message)") == "true,1,false,bad -2");
  CHECK(scoped(lenses + R"(
    local ok, err = pcall(body, function(ctx) return ctx:parallel({ 1, -2, 3 }, review) end)
    return ok, err.message)") == "false,bad -2");
}

TEST_CASE("the place of a lost branch holds a value that cannot be used") {
  const std::string three = R"(
    local m = require "moonlet"
    local results, lost
    body(function(ctx)
      results, lost = ctx:parallel({ "a", "b", "c" }, function(_, item)
        if item == "b" then error({ kind = "timeout", message = "too slow" }, 0) end
        if item == "a" then return item end
      end, { need = 1, key = function(item) return item end })
    end)
    local value = results[2]
  )";
  CHECK(scoped(three + R"(
    local uses = {
      function() return value.x end, function() value.x = 1 end, function() return #value end,
      function() return value .. "x" end, function() return "x" .. value end, function() return value + 1 end,
      function() return -value end, function() return value < 1 end, function() return value() end,
      function() for _ in pairs(value) do break end end, function() for _ in ipairs(value) do break end end,
      function() return table.concat({ "x", value }) end, function() m.fail { message = value } end,
    }
    local raised = 0
    for _, use in ipairs(uses) do
      local ok, err = pcall(use)
      if not ok and err.kind == "lost" and err.cause.kind == "timeout"
        and err.message == "the result of branch 'b' is lost: too slow" then raised = raised + 1 end
    end
    return raised, #uses)") == "13,13");
  CHECK(scoped(three + R"(
    return tostring(value), value == value, value == results[1], m.is_lost(value), m.is_lost(results[1]),
      m.is_lost(nil), results[3] == m.null, getmetatable(value), not not value)") ==
        "lost branch 'b' (timeout: too slow),true,false,true,false,false,true,false,true");
  CHECK(scoped(three + "return m.json.encode(results), m.json.encode(lost)") ==
        R"(["a",{"lost":{"branch":"b","kind":"timeout","message":"too slow"}},null],)"
        R"([{"branch":"b","kind":"timeout","message":"too slow"}])");
  CHECK(scoped(three + R"(
    local found, items = m.found(results, { "a", "b", "c" })
    return m.json.encode(found), m.json.encode(items), m.json.encode { (m.found {}) })") ==
        R"(["a",null],["a","c"],[[]])");
}

TEST_CASE("the journal restores lost values, infinity and records that look like them") {
  CHECK(run(R"(
    local values = require "moonlet.engine.journal.values"
    local lost = core.lost.new { branch = "b\xff", kind = "failed", message = "no" }
    local told = values.read(values.text { lost, { ["$lost"] = 1 }, { lost = { branch = "b" } }, 1 / 0,
      { ["$infinite"] = true } })
    return core.lost.record(told[1]).branch == "b\xff", told[2]["$lost"], told[3].lost.branch, told[4] == 1 / 0,
      told[5]["$infinite"])") == "true,1,b,true,true");
}

TEST_CASE("with settle every place holds an outcome") {
  CHECK(scoped(R"(
    local all = body(function(ctx)
      return (ctx:parallel({ 1, 2, 3 }, function(_, n)
        if n == 1 then return false end
        if n == 2 then error({ kind = "denied", message = "no" }, 0) end
      end, { settle = true }))
    end)
    return all[1].ok, all[1].value, all[2].ok, all[2].error.kind, all[2].value, all[3].ok,
      all[3].value == core.json.null)") == "true,false,false,denied,nil,true,true");
}

TEST_CASE("any takes the first success and cancels the others") {
  CHECK(scoped(R"(
    local ended = {}
    local value, index = body(function(ctx)
      return ctx:any({ 3, 0.1, 0.2, 5 }, function(c, seconds)
        c:finally(function() ended[#ended + 1] = seconds end)
        c:sleep(seconds)
        if seconds == 0.1 then error({ kind = "failed", message = "early" }, 0) end
        return "after " .. seconds
      end)
    end)
    return value, index, core.clock.monotonic(), #ended, degraded)") == "after 0.2,3,200,4,1/2");
  CHECK(scoped(R"(
    local ok, err = pcall(body, function(ctx)
      return ctx:any({ 1, 2 }, function(_, n) error({ kind = "failed", message = "no " .. n }, 0) end)
    end)
    return ok, err.kind, err.message)") ==
        "false,quorum,0 of 2 succeeded; the first failure: no 1");
  CHECK(scoped(R"(
    local ok, err = pcall(body, function(ctx)
      return ctx:scope({ timeout = "1s" }, function(s) return s:any({ 1 }, function(c) c:sleep("1h") end) end)
    end)
    return ok, err.kind)") == "false,timeout");
}

TEST_CASE("a task is named in the keys of its steps") {
  CHECK(scoped(R"(
    local state = require "moonlet.engine.context.context"
    local keys = {}
    body(function(ctx)
      local function note(c) keys[#keys + 1] = state.key(state.of(c), "exec") end
      ctx:spawn("tests", note)
      ctx:spawn("tests", note)
      ctx:scope(function(s) s:spawn("lint", note) end)
    end)
    table.sort(keys)
    return table.concat(keys, " "))") == "scope/lint/exec tests#2/exec tests/exec");
  CHECK(scoped(R"(
    return body(function(ctx)
      local ok, err = pcall(ctx.spawn, ctx, function() end)
      return ok, err.kind, err.hint
    end))") == "false,invalid,ctx:spawn(\"tests\", function(c) … end)");
}

TEST_CASE("yield goes on at once, and ends a body that is cancelled") {
  CHECK(scoped(R"(
    local seen
    pcall(body, function(ctx)
      ctx:yield()
      ctx:spawn("a", function(c)
        pcall(c.sleep, c, "1h")
        seen = select(2, pcall(c.yield, c)).message
      end)
      ctx:spawn("b", function(c) c:sleep(0.01) error({ kind = "failed", message = "boom" }, 0) end)
    end)
    return seen, core.clock.monotonic())") == "boom,10");
}

TEST_CASE("a budget is read as numbers") {
  const std::string budgets = R"(
    local budget = require "moonlet.engine.budget.budget"
    local outer = budget.open(nil, { agents = 5, usd = 1 }, { what = "outer", path = "" })
    local own = budget.open(outer, { agents = 3 }, { what = "own", path = "own" })
    budget.start_wall(outer, 60000, function() return 15500 end)
  )";
  CHECK(scoped(budgets + R"(
    return body(function(ctx)
      local b = ctx.budget
      budget.reserve(outer, { agents = 3 })
      return b:left "agents", b:used "agents", b:limit "agents", b:left "usd", b:left "tokens" == math.huge,
        b:limit "processes" == math.huge, b:left "wall", b:used "wall", b:limit "wall",
        core.json.encode { b:left "tokens" }
    end, { budget = own }))") == "2,0,3,1,true,true,44.5,15.5,60.0,[null]");
  CHECK(scoped(budgets + R"(
    return body(function(ctx)
      budget.with(own, { agents = 1 }, function() return true, { agents = 9 } end)
      return ctx.budget:left "agents", ctx.budget:used "agents"
    end, { budget = own }))") == "0,9");
  CHECK(scoped(R"(
    return body(function(ctx)
      local _, kind = pcall(function() return ctx.budget:left "token" end)
      local _, verb = pcall(function() return ctx.budget:remaining "tokens" end)
      return kind.hint, verb.hint, ctx.budget:left "usd" == math.huge
    end))") == "did you mean 'tokens'?,write left,true");
}

TEST_CASE("a pipeline has no barrier between its stages") {
  CHECK(scoped(R"(
    local log = {}
    local values = body(function(ctx)
      return (ctx:pipeline({ 1, 2 }, function(c, v) c:sleep(v) log[#log + 1] = "a" .. v return v end,
        function(c, v, item) c:sleep(0.1) log[#log + 1] = "b" .. item return v * 2 end))
    end)
    return table.concat(log, " "), values[2])") == "a1 b1 a2 b2,4");
}

TEST_CASE("keys follow the structure of the script, not the order of arrival") {
  CHECK(scoped(R"(
    local state = require "moonlet.engine.context.context"
    local keys = {}
    body(function(ctx)
      ctx:parallel({ "x", "y" }, function(c, item)
        c:sleep(item == "x" and 1 or 0.5)
        for _ = 1, 2 do keys[#keys + 1] = state.key(state.of(c), "agent") end
      end, { key = function(item) return item end })
    end)
    table.sort(keys)
    return table.concat(keys, " "))") ==
        "parallel/x/agent parallel/x/agent#2 parallel/y/agent parallel/y/agent#2");
}

TEST_CASE("a ctx is only good in its own body") {
  CHECK(scoped(R"(
    local kept
    body(function(ctx) ctx:scope(function(s) kept = s end) end)
    local ok, err = pcall(kept.sleep, kept, 1)
    return ok, err.kind)") == "false,invalid");
  CHECK(scoped(R"(
    return body(function(ctx)
      local ok, err = pcall(function() return ctx.paralel end)
      return ok, err.hint
    end))") == "false,did you mean 'parallel'?");
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
        "error: invalid: this place cannot wait for anything");
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

TEST_CASE("the time of a clean-up is not that of the body before it") {
  CHECK(scoped(R"(
    return body(function(ctx)
      ctx:finally(function() ctx:sleep(2) end)
      ctx:sleep(0.5)
      return "in time"
    end, { timeout = 1000, what = "it" }), core.clock.monotonic())") == "in time,2500");
}

TEST_CASE("tasks that a clean-up starts or defers are over when the scope returns") {
  CHECK(scoped(R"(
    local did = {}
    local function note(text) did[#did + 1] = text end
    for _, fails in ipairs { false, true } do
      pcall(body, function(ctx)
        ctx:finally(function() note "last" end)
        ctx:finally(function()
          ctx:finally(function() note "put off" end)
          ctx:spawn("side", function(c) c:sleep(1) note "spawned" end)
        end)
        if fails then error "on purpose" end
      end)
      note "returned"
    end
    return table.concat(did, " "))") ==
        "spawned put off last returned spawned put off last returned");
}

TEST_CASE("a task of a clean-up that fails is an error of the clean-up") {
  CHECK(scoped(R"(
    local told = {}
    run.emit = function(kind, fields) told[#told + 1] = kind .. ": " .. fields.text end
    local function fail(last)
      return pcall(body, function(ctx)
        ctx:finally(function() ctx:spawn("side", function() error({ kind = "failed", message = "left" }, 0) end) end)
        if last then error({ kind = "failed", message = last }, 0) end
      end)
    end
    local _, first = fail()
    local _, second = fail "its own"
    return first.message, second.message, table.concat(told, "; "))") ==
        "left,its own,warning: what the run leaves is not all put in order: left");
}
