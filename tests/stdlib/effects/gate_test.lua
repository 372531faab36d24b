local gate = require "moonlet.engine.effects.gate"
local journal = require "moonlet.engine.journal.journal"
local scope = require "moonlet.engine.context.scope"
require "moonlet.engine.run.verbs"

-- The tests keep the journal in memory.
local records = {}
core.journal = { append = function(text) records[#records + 1] = text end, collect = function() end,
  note = function(text) records[#records + 1] = text end,
  open = function()
    local order = 0
    return function()
      order = order + 1
      if records[order] then return order, core.json.decode_record(records[order]) end
    end
  end }
core.run.redact = function(text) return (core.secret.hide(text)) end
core.secret.key = function() return "key" end

local function a_run(options)
  local run = { journal = journal.open(false, false), options = options or {}, parked = {}, answers = {}, steps = {} }
  function run.emit() end
  function run.begin_step(key) run.steps[key] = "begun" return { key = key } end
  function run.end_step(step, status) run.steps[step.key] = status end
  function run.is_cancelled() return run.cancelled end
  function run.end_parked() error({ kind = "parked", message = "it waits" }, 0) end
  return run
end

--- Calls fn(ctx) as the body of the run. Returns its result or its error.
local function within(run, fn)
  local ok, result = pcall(scope.body, run, "", {}, fn)
  return result, ok
end

local function approve(run, item, value, fields)
  local given = { shown = item.shown, value = value or "approve", by = "ann", at_ms = core.clock.wall() }
  for name, field in pairs(fields or {}) do given[name] = field end
  run.journal.answers[item.key] = given
end

local deploy = { action = "deploy", why = "it is Friday", show = "v1" }
local function asks(call) return function(ctx) return ctx:gate(call) end end

test("a gate without a person parks the run with everything the person must see", function()
  local run = a_run()
  local err = within(run, asks(deploy))
  is(err.kind, "parked", "the run")
  is(#run.parked, 1, "points that wait")
  local item = run.parked[1]
  same({ item.kind, item.key, item.text, item.why, item.show }, { "gate", "gate", "deploy", "it is Friday", "v1" }, "the point")
  is(run.steps.gate, "parked", "its step")
end)

test("an approval is valid only for the text that the person saw", function()
  local run = a_run()
  within(run, asks(deploy))
  approve(run, run.parked[1])
  local given, ok = within(run, asks(deploy))
  is(ok, true, "it goes on")
  is(given.by, "ann", "who approved")
  is(run.steps.gate, "ok", "its step")
  for name, call in pairs {
    show = { action = "deploy", why = "it is Friday", show = "v2" },
    why = { action = "deploy", why = "it is Monday", show = "v1" },
    action = { action = "delete", why = "it is Friday", show = "v1" },
  } do
    is(within(run, asks(call)).kind, "parked", "with another " .. name)
  end
end)

test("a rejection fails the step with the person's reason", function()
  local run = a_run()
  within(run, asks(deploy))
  approve(run, run.parked[1], "reject", { note = "not today" })
  local err = within(run, asks(deploy))
  is(err.kind, "rejected", "its kind")
  is(err.message, "'deploy' was rejected: not today", "its message")
  is(run.steps.gate, "failed", "its step")
end)

test("with --gates deny every gate is rejected without asking", function()
  local run = a_run { gates = "deny" }
  local err = within(run, asks(deploy))
  is(err.kind, "rejected", "a gate")
  is(err.message, "'deploy' was rejected by --gates deny", "its message")
  err = within(run, function(ctx) return ctx:question { text = "which?" } end)
  is(err.kind, "rejected", "a question")
  is(#run.parked, 0, "points that wait")
end)

test("an expired gate stays expired, and an answer in time stays valid", function()
  local call = { action = "deploy", timeout = "1m" }
  local run = a_run()
  within(run, asks(call))
  local item = run.parked[1]
  is(item.until_ms, core.clock.wall() + 60000, "the end of its time")
  core.task.sleep(61000)
  run.journal = journal.open(false, false)
  approve(run, item, "approve", { at_ms = item.until_ms - 1 })
  local given, ok = within(run, asks(call))
  is(ok, true, "an answer in time, heard late")
  is(given.by, "ann", "who gave it")
  run.journal = journal.open(false, false)
  is(within(run, asks(call)).kind, "timeout", "without one")
  run.journal = journal.open(false, false)
  approve(run, item)
  is(within(run, asks(call)).kind, "timeout", "an answer that came later")
end)

test("a cancelled run asks no one", function()
  local run = a_run()
  run.cancelled = true
  is(within(run, asks(deploy)).kind, "cancelled", "the gate")
  is(#run.parked, 0, "points that wait")
end)

test("an answer is typed as a word, or as the text or number of an option", function()
  local point = { kind = "gate" }
  for typed, answer in pairs { [" y "] = "approve", YES = "approve", Approve = "approve", n = "reject", reject = "reject" } do
    is(gate.read_answer(point, typed), answer, "a gate: " .. typed)
  end
  for _, typed in ipairs { "", "maybe", "yess" } do is(gate.read_answer(point, typed), nil, "a gate: " .. typed) end
  point = { kind = "question", options = { "Tabs", "2", "spaces", "SPACES", "x" } }
  for typed, number in pairs { Tabs = 1, tabs = 1, ["1"] = 1, ["2"] = 2, spaces = 3, SPACES = 4, ["5"] = 5 } do
    is(select(2, gate.read_answer(point, typed)), number, "a question: " .. typed)
  end
  for _, typed in ipairs { "Spaces", "6", "0", "" } do is(gate.read_answer(point, typed), nil, "a question: " .. typed) end
  is(gate.read_answer({ kind = "question" }, " anything "), "anything", "a question without options")
end)

test("a question returns the script's own option", function()
  local run = a_run()
  local function ask(ctx) return ctx:question { text = "which?", options = { "tabs", "spaces" } } end
  within(run, ask)
  approve(run, run.parked[1], "spaces", { option = 2 })
  is(within(run, ask), "spaces", "the answer")
end)

test("an answer is refused if the run no longer waits for it", function()
  local now = core.clock.wall()
  local point = { key = "gate", shown = "abc", until_ms = now }
  local rec = { ended = true, verdict = "needs-human", parked = { point } }
  local given = { key = "gate", shown = "abc", value = "approve", at_ms = now }
  gate.check_open("R-001", rec, given)
  raises(function() gate.check_open("R-001", rec, given, { shown = "abc", value = "reject", by = "bob" }) end,
    "R-001 was answered at 'gate' already: reject by bob", "the second answer")
  given.at_ms = now + 1
  raises(function() gate.check_open("R-001", rec, given) end, "the time to answer 'gate' was over", "too late")
  given.shown = "other"
  raises(function() gate.check_open("R-001", rec, given) end, "no longer waits at 'gate'", "another text")
  rec.verdict = "ok"
  raises(function() gate.check_open("R-001", rec, given) end, "no longer waits at 'gate'", "a run that has ended")
end)

test("an overlong text and a missing action are refused", function()
  raises(function() error(within(a_run(), asks { action = "x", show = ("y"):rep(70000) }), 0) end,
    "show has 70000 bytes; a person is shown at most 65536", "a long text")
  raises(function() error(within(a_run(), asks { why = "x" }), 0) end, "action", "no action")
end)

test("an irreversible command needs an approval that is bound to the whole command", function()
  local run = a_run()
  local function push(argv, beside) return function(ctx) return gate.before(ctx, argv, beside or {}) end end
  is(within(run, push { "git", "status" }), nil, "git status")
  is(#run.parked, 0, "points that wait")
  is(within(run, push { "git", "push", "origin", "main" }).kind, "parked", "git push")
  local item = run.parked[1]
  is(item.show, "git push origin main", "what is shown")
  approve(run, item)
  is(within(run, push { "git", "push", "origin", "main" }), item.text, "once approved")
  is(within(run, push { "git", "push", "origin", "other" }).kind, "parked", "other words")
  is(within(run, push({ "git", "push", "origin", "main" }, { cwd = "sub" })).kind, "parked", "another folder")
end)
