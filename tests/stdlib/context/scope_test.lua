-- Tests scopes, tasks, fan-outs and budgets through the API of scripts.
local m = require "moonlet"
local context = require "moonlet.engine.context.context"
local scope = require "moonlet.engine.context.scope"
require "moonlet.engine.run.verbs"

local degraded
-- This run has only the fields that scopes need.
local run = { limit = 8, emit = function() end, note_degraded = function(_, key, need) degraded = key .. "/" .. need end }
local function body(fn, options) return scope.body(run, "", options or {}, fn) end

local function review(_, item)
  if item < 0 then error({ kind = "failed", message = "bad " .. item }) end
  return item
end

--- Runs a fan-out in which branch b fails and branch c returns nothing.
local function lose_one()
  local results, lost
  body(function(ctx)
    results, lost = ctx:parallel({ "a", "b", "c" }, function(_, item)
      if item == "b" then error({ kind = "timeout", message = "too slow" }, 0) end
      if item == "a" then return item end
    end, { need = 1, key = function(item) return item end })
  end)
  return results, lost
end

test("tasks run in parallel and a scope waits for all of them", function()
  gives(function()
    local order = {}
    body(function(ctx)
      for i = 3, 1, -1 do
        ctx:spawn("side", function(c) c:sleep(i / 100); order[#order + 1] = i end)
      end
    end)
    return table.concat(order, " ")
  end, "1 2 3")
end)

test("the first failure that nobody observes cancels the siblings", function()
  gives(function()
    local ended = {}
    local ok, err = pcall(body, function(ctx)
      ctx:spawn("side", function(c) c:finally(function() ended[#ended + 1] = "sibling" end) c:sleep("1h") end)
      ctx:spawn("side", function(c) c:sleep(0.01) error({ kind = "failed", message = "boom" }) end)
      ctx:sleep("1h")
    end)
    return ok, err.message, core.clock.monotonic(), ended[1]
  end, "false,boom,10,sibling")
end)

test("join raises a task's failure without cancelling its siblings", function()
  gives(function()
    return body(function(ctx)
      local task = ctx:spawn("side", function(c) c:sleep(0.01) error({ kind = "failed", message = "boom" }) end)
      local ok, err = pcall(task.join, task)
      ctx:sleep(0.01)
      return ok, err.message
    end)
  end, "false,boom")
end)

test("of nested timeouts, a shorter outer one wins", function()
  gives(function()
    return body(function(ctx)
      local ok, err = pcall(ctx.scope, ctx, { timeout = "1s" }, function(s)
        return s:scope({ timeout = "5s" }, function(inner) inner:sleep("1h") end)
      end)
      ctx:sleep("1s")
      return ok, err.kind, core.clock.monotonic()
    end)
  end, "false,timeout,2000")
end)

test("of nested timeouts, a shorter inner one wins", function()
  gives(function()
    return body(function(ctx)
      return ctx:scope({ timeout = "5s" }, function(s)
        local ok, err = pcall(s.scope, s, { timeout = "1s" }, function(inner) inner:sleep("1h") end)
        return ok, err.kind, core.clock.monotonic()
      end)
    end)
  end, "false,timeout,1000")
end)

test("every await in a cancelled scope raises an error", function()
  gives(function()
    return body(function(ctx)
      local count = 0
      local ok, err = pcall(ctx.scope, ctx, { timeout = "1s" }, function(s)
        for _ = 1, 3 do
          if not pcall(s.sleep, s, "1h") then count = count + 1 end
        end
        s:sleep("1h")
      end)
      return count, ok, err.kind, core.clock.monotonic()
    end)
  end, "3,false,timeout,1000")
end)

test("finally runs after a cancel, and may wait", function()
  gives(function()
    local seen
    local ok, err = pcall(body, function(ctx)
      ctx:scope({ timeout = "1s" }, function(s)
        s:finally(function() core.task.sleep(500) seen = core.clock.monotonic() end)
        s:sleep("1h")
      end)
    end)
    return ok, err.kind, seen
  end, "false,timeout,1500")
end)

test("finally has its own time limit", function()
  gives(function()
    local ok, err = pcall(body, function(ctx)
      ctx:finally(function() core.task.sleep(3600000) end)
    end)
    return ok, err.kind, core.clock.monotonic()
  end, "false,timeout,10000")
end)

test("parallel keeps the order of the items and respects its limit", function()
  gives(function()
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
    return most, table.concat(values, " ")
  end, "2,50 40 30 20 10")
end)

test("parallel with need returns failed branches as lost values", function()
  gives(function()
    local values, lost = body(function(ctx) return ctx:parallel({ 1, -2, 3 }, review, { need = 2 }) end)
    return #values, values[1], values[3], #lost, lost[1].branch, lost[1].kind, lost[1].message, degraded
  end, "3,1,3,1,2,failed,bad -2,2/3")
end)

test("parallel fails if fewer branches succeed than it needs", function()
  gives(function()
    local ok, err = pcall(body, function(ctx) return ctx:parallel({ -1, -2, 3 }, review, { need = 2 }) end)
    return ok, err.kind, err.message
  end, "false,quorum,2 of 3 failed, and 2 must succeed; the first failure: bad -1")
end)

test("parallel with settle returns an outcome for each item", function()
  gives(function()
    local all = body(function(ctx) return (ctx:parallel({ 1, -2 }, review, { settle = true })) end)
    return all[1].ok, all[1].value, all[2].ok, all[2].error.message
  end, "true,1,false,bad -2")
end)

test("parallel without need fails with the first failure", function()
  gives(function()
    local ok, err = pcall(body, function(ctx) return ctx:parallel({ 1, -2, 3 }, review) end)
    return ok, err.message
  end, "false,bad -2")
end)

test("the result of a failed branch is a lost value that raises an error when it is used", function()
  gives(function()
    local value = lose_one()[2]
    local uses = {
      function() return value.x end, function() value.x = 1 end, function() return #value end,
      function() return value .. "x" end, function() return "x" .. value end, function() return value + 1 end,
      function() return -value end, function() return value < 1 end, function() return value() end,
      function() return pairs(value)(value) end, function() return ipairs(value)(value, 0) end,
      function() return table.concat({ "x", value }) end, function() m.fail { message = value } end,
    }
    local raised = 0
    for _, use in ipairs(uses) do
      local ok, err = pcall(use)
      if not ok and err.kind == "lost" and err.cause.kind == "timeout"
        and err.message == "the result of branch 'b' is lost: too slow" then raised = raised + 1 end
    end
    return raised, #uses
  end, "13,13")
end)

test("a lost value equals no other value, and m.is_lost recognises it", function()
  gives(function()
    local results = lose_one()
    local value = results[2]
    return tostring(value), value == value, value == results[1], m.is_lost(value), m.is_lost(results[1]),
      m.is_lost(nil), results[3] == m.null, getmetatable(value), not not value
  end, "lost branch 'b' (timeout: too slow),true,false,true,false,false,true,false,true")
end)

test("a lost value can be encoded as JSON", function()
  gives(function()
    local results, lost = lose_one()
    return m.json.encode(results), m.json.encode(lost)
  end, '["a",{"lost":{"branch":"b","kind":"timeout","message":"too slow"}},null],[{"branch":"b","kind":"timeout","message":"too slow"}]')
end)

test("m.found removes lost values and their items", function()
  gives(function()
    local results = lose_one()
    local found, items = m.found(results, { "a", "b", "c" })
    return m.json.encode(found), m.json.encode(items), m.json.encode { (m.found {}) }
  end, '["a",null],["a","c"],[[]]')
end)

test("with settle every result is an outcome", function()
  gives(function()
    local all = body(function(ctx)
      return (ctx:parallel({ 1, 2, 3 }, function(_, n)
        if n == 1 then return false end
        if n == 2 then error({ kind = "denied", message = "no" }, 0) end
      end, { settle = true }))
    end)
    return all[1].ok, all[1].value, all[2].ok, all[2].error.kind, all[2].value, all[3].ok,
      all[3].value == core.json.null
  end, "true,false,false,denied,nil,true,true")
end)

test("any takes the first success and cancels the others", function()
  gives(function()
    local ended = {}
    local value, index = body(function(ctx)
      return ctx:any({ 3, 0.1, 0.2, 5 }, function(c, seconds)
        c:finally(function() ended[#ended + 1] = seconds end)
        c:sleep(seconds)
        if seconds == 0.1 then error({ kind = "failed", message = "early" }, 0) end
        return "after " .. seconds
      end)
    end)
    return value, index, core.clock.monotonic(), #ended, degraded
  end, "after 0.2,3,200,4,1/2")
end)

test("any fails if no branch succeeds", function()
  gives(function()
    local ok, err = pcall(body, function(ctx)
      return ctx:any({ 1, 2 }, function(_, n) error({ kind = "failed", message = "no " .. n }, 0) end)
    end)
    return ok, err.kind, err.message
  end, "false,quorum,0 of 2 succeeded; the first failure: no 1")
end)

test("any ends with its scope", function()
  gives(function()
    local ok, err = pcall(body, function(ctx)
      return ctx:scope({ timeout = "1s" }, function(s) return s:any({ 1 }, function(c) c:sleep("1h") end) end)
    end)
    return ok, err.kind
  end, "false,timeout")
end)

test("the keys of a task's steps contain its name", function()
  gives(function()
    local state = require "moonlet.engine.context.context"
    local keys = {}
    body(function(ctx)
      local function note(c) keys[#keys + 1] = state.key(state.of(c), "exec") end
      ctx:spawn("tests", note)
      ctx:spawn("tests", note)
      ctx:scope(function(s) s:spawn("lint", note) end)
    end)
    table.sort(keys)
    return table.concat(keys, " ")
  end, "scope/lint/exec tests#2/exec tests/exec")
end)

test("a task needs a name", function()
  gives(function()
    return body(function(ctx)
      local ok, err = pcall(ctx.spawn, ctx, function() end)
      return ok, err.kind, err.hint
    end)
  end, 'false,invalid,ctx:spawn("tests", function(c) … end)')
end)

test("yield returns at once, and ends a cancelled body", function()
  gives(function()
    local seen
    pcall(body, function(ctx)
      ctx:yield()
      ctx:spawn("a", function(c)
        pcall(c.sleep, c, "1h")
        seen = select(2, pcall(c.yield, c)).message
      end)
      ctx:spawn("b", function(c) c:sleep(0.01) error({ kind = "failed", message = "boom" }, 0) end)
    end)
    return seen, core.clock.monotonic()  -- a yield advances the clock
  end, "boom,11")
end)

test("a budget's values are numbers", function()
  gives(function()
    local budget = require "moonlet.engine.budget.budget"
    local outer = budget.open(nil, { agents = 5, usd = 1 }, { what = "outer", path = "" })
    local own = budget.open(outer, { agents = 3 }, { what = "own", path = "own" })
    budget.start_wall(outer, 60000, function() return 15500 end)
    return body(function(ctx)
      local b = ctx.budget
      budget.reserve(outer, { agents = 3 })
      return b:left "agents", b:used "agents", b:limit "agents", b:left "usd", b:left "tokens" == math.huge,
        b:limit "processes" == math.huge, b:left "wall", b:used "wall", b:limit "wall",
        core.json.encode { b:left "tokens" }
    end, { budget = own })
  end, "2,0,3,1,true,true,44.5,15.5,60.0,[null]")
end)

test("an overspent budget has nothing left", function()
  gives(function()
    local budget = require "moonlet.engine.budget.budget"
    local outer = budget.open(nil, { agents = 5, usd = 1 }, { what = "outer", path = "" })
    local own = budget.open(outer, { agents = 3 }, { what = "own", path = "own" })
    budget.start_wall(outer, 60000, function() return 15500 end)
    return body(function(ctx)
      budget.with(own, { agents = 1 }, function() return true, { agents = 9 } end)
      return ctx.budget:left "agents", ctx.budget:used "agents"
    end, { budget = own })
  end, "0,9")
end)

test("a misspelt budget kind is refused with a suggestion", function()
  gives(function()
    return body(function(ctx)
      local _, kind = pcall(function() return ctx.budget:left "token" end)
      local _, verb = pcall(function() return ctx.budget:remaining "tokens" end)
      return kind.hint, verb.hint, ctx.budget:left "usd" == math.huge
    end)
  end, "did you mean 'tokens'?,write left,true")
end)

test("a pipeline has no barrier between its stages", function()
  gives(function()
    local log = {}
    local values = body(function(ctx)
      return (ctx:pipeline({ 1, 2 }, function(c, v) c:sleep(v) log[#log + 1] = "a" .. v return v end,
        function(c, v, item) c:sleep(0.1) log[#log + 1] = "b" .. item return v * 2 end))
    end)
    return table.concat(log, " "), values[2]
  end, "a1 b1 a2 b2,4")
end)

test("keys depend on the structure of the script and not on timing", function()
  gives(function()
    local state = require "moonlet.engine.context.context"
    local keys = {}
    body(function(ctx)
      ctx:parallel({ "x", "y" }, function(c, item)
        c:sleep(item == "x" and 1 or 0.5)
        for _ = 1, 2 do keys[#keys + 1] = state.key(state.of(c), "agent") end
      end, { key = function(item) return item end })
    end)
    table.sort(keys)
    return table.concat(keys, " ")
  end, "parallel/x/agent parallel/x/agent#2 parallel/y/agent parallel/y/agent#2")
end)

test("a ctx cannot be used after its body has ended", function()
  gives(function()
    local kept
    body(function(ctx) ctx:scope(function(s) kept = s end) end)
    local ok, err = pcall(kept.sleep, kept, 1)
    return ok, err.kind
  end, "false,invalid")
end)

test("a misspelt verb of a ctx is refused with a suggestion", function()
  gives(function()
    return body(function(ctx)
      local ok, err = pcall(function() return ctx.paralel end)
      return ok, err.hint
    end)
  end, "false,did you mean 'parallel'?")
end)

test("the time of a clean-up does not count against its body's limit", function()
  gives(function()
    return body(function(ctx)
      ctx:finally(function() ctx:sleep(2) end)
      ctx:sleep(0.5)
      return "in time"
    end, { timeout = 1000, what = "it" }), core.clock.monotonic()
  end, "in time,2500")
end)

test("a scope returns only after the tasks and finalizers of its clean-up", function()
  gives(function()
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
    return table.concat(did, " ")
  end, "spawned put off last returned spawned put off last returned")
end)

test("a failing task of a clean-up fails the clean-up", function()
  gives(function()
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
    return first.message, second.message, table.concat(told, "; ")
  end, "left,its own,warning: the clean-up of the run is not complete: left")
end)

test("names in keys are escaped only where they would be ambiguous", function()
  local state = require "moonlet.engine.context.context"
  for name, part in pairs { review = "review", ["100%"] = "100%", ["a/b#2"] = "a%2Fb%232", ["50%2F"] = "50%252F",
    ["%%2F"] = "%%252F", ["%/"] = "%%2F", [""] = "" } do
    is(state.part({}, name), part, "the part of " .. name)
    is(state.plain(part), name, "the name of " .. part)
  end
  local old = { plain_names = true, stand_ins = require("moonlet.engine.journal.input_hash").stand_ins() }
  is(state.part({ journal = old }, "a/b#2"), "a/b#2", "in a run of before")
end)

--- Returns the warnings for a branch that spawns with the ctx of the function around it.
local function warnings_of_foreign(before)
  local watched, texts = setmetatable({}, { __index = run }), {}
  function watched.emit(kind, fields) if kind == "warning" then texts[#texts + 1] = fields.text end end
  scope.body(watched, "", {}, function(ctx)
    ctx:spawn("side", function()
      before(watched, context.of(ctx))
      ctx:spawn("own", function() end)
      ctx:spawn("own", function() end)
    end)
  end)
  return texts
end

test("a branch that uses the ctx of the function around it causes one warning", function()
  gives(function()
    local texts = warnings_of_foreign(function() end)
    return #texts, texts[1]:match "a branch uses the ctx of the function around it"
  end, "1,a branch uses the ctx of the function around it")
end)

test("a clean-up that another task runs uses the ctx of its body without a warning", function()
  gives(function()
    return #warnings_of_foreign(function(watched, state)
      context.cleanup(watched).places[core.task.current()] = { path = "", counts = {}, scope = state.scope }
    end)
  end, "0")
end)
