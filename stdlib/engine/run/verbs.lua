--- Implements the verbs of ctx, whose types are in meta/ctx.lua.
--- The verbs are in run/, because they use the other folders of the engine.
local closed = require "moonlet.engine.context.closed"
local context = require "moonlet.engine.context.context"
local fan_out = require "moonlet.engine.context.fan_out"
local scope = require "moonlet.engine.context.scope"
local silent = require "moonlet.engine.context.silent"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local journal = require "moonlet.engine.journal.journal"
local grants = require "moonlet.engine.context.grants"
local values = require "moonlet.engine.journal.values"
local verdict = require "moonlet.engine.run.verdict"

local verbs = context.verbs

verbs.scope = scope.scope
verbs.spawn = scope.spawn
verbs.finally = scope.finally
verbs.yield = scope.yield
verbs.parallel = fan_out.parallel
verbs.pipeline = fan_out.pipeline
verbs.any = fan_out.any

local function no_more(verb, usage, ...)
  if select("#", ...) > 0 then record.refuse(verb .. " got too many arguments", usage) end
end

function verbs:exec(call, ...)
  if select("#", ...) > 0 then
    record.refuse("ctx:exec takes one table",
      'put words and options into it: ctx:exec{ "sort", stdin = text }')
  end
  return require("moonlet.engine.effects.exec").exec(self, call)
end

local function takes_table(name, module, example)
  verbs[name] = function(self, call, ...)
    no_more("ctx:" .. name, "put everything into one table: " .. example, ...)
    return require(module)[name](self, call)
  end
end

takes_table("agent", "moonlet.engine.agent.call", 'ctx:agent { prompt = text, name = "review" }')
takes_table("session", "moonlet.engine.session.in_run",
  'ctx:session { "python3", "-i", timeout = "5m" }')
takes_table("validate", "moonlet.engine.effects.validation",
  'ctx:validate { command = "npm test", timeout = "5m" }')
takes_table("require", "moonlet.engine.effects.validation",
  'ctx:require { command = "make", artifacts = { "out" } }')
takes_table("gate", "moonlet.engine.effects.gate", 'ctx:gate { action = "release", why = "…" }')
takes_table("question", "moonlet.engine.effects.gate",
  'ctx:question { text = "…", options = { "a", "b" } }')
context.host_view = function(state) return require("moonlet.engine.effects.host").view(state) end

local asked = verbs.gate

function verbs:gate(...)
  return closed.record(asked(self, ...), "the answer of a gate", { "by", "note" })
end

function verbs:verdict(call, ...)
  local state = context.of(self)
  no_more("ctx:verdict",
    'put everything into one table: ctx:verdict { by = "verifier", pass = false }', ...)
  record.check(call, { by = "string!", pass = "boolean!", why = "string" }, "ctx:verdict")
  -- The runner `mock` makes up its verdicts, so do not record them.
  if state.run.mocked then return end
  state.run.note_validation(context.key(state, "verdict"),
    { kind = "verdict", command = call.by, why = call.why,
      status = call.pass and "passed" or "failed" }, true)
end

local function once(state, key, kind, input, fn, body)
  local how = { tells = true, notes = function() return verdict.within(state.run, key) end }
  local value, step = state.run.step(key, kind, nil, input, how, function()
    -- Return a copy, as a replay does, so that the caller and the function share no table.
    local results = table.pack(body(key))
    local value = results[1]
    silent.check(state.run, "ctx:" .. input.verb, key .. "/", fn, results)
    local fault = record.fault(value, ("the value of ctx:%s"):format(input.verb))
    if fault then
      record.refuse(fault, ("a %s returns one JSON value"):format(input.verb),
        (core.text.place(fn)))
    end
    return values.copy(value)
  end)
  state.run.end_step(step, "ok", {})
  return value
end

function verbs:step(name, options, fn)
  local state = context.of(self)
  if type(options) == "function" then options, fn = {}, options end
  if type(options) == "table" then record.check(options, { input = "any" }, "ctx:step") end
  if type(options) ~= "table" or type(name) ~= "string" or type(fn) ~= "function" then
    record.refuse("ctx:step needs a name and a function",
      'ctx:step("plan", { input = facts }, function(c) … end)')
  end
  return once(state, context.key(state, name), "function",
    { verb = "step", input = options.input }, fn, function(key)
      return scope.body(state.run, key, { budget = state.budget }, fn)
    end)
end

function verbs:preset(name, args, ...)
  no_more("ctx:preset", 'ctx:preset("triangulated-review", { target = "HEAD~1" })', ...)
  local state = context.of(self)
  local call = require("moonlet.engine.run.nested").of(state.run, name, args)
  return once(state, context.key(state, name), "preset", call.input, call.preset.run, function(key)
    return scope.limited(call.part(key), key,
      { around = state.budget, limits = call.preset.budget }, call.body)
  end)
end

function verbs:phase(name, planned, ...)
  local state = context.of(self)
  no_more("ctx:phase", "ctx:phase(name, planned)", ...)
  if type(name) ~= "string" or planned ~= nil and math.type(planned) ~= "integer" then
    record.refuse("ctx:phase needs a name, and may have a whole number",
      'ctx:phase("review", #files)')
  end
  state.run.emit("phase", { name = name, planned = planned })
end

local plan_fields = { steps = "list", at = "integer", calls = "integer", checks = "list" }

local function check_steps(steps, at)
  if #steps < 3 or #steps > 6 then
    record.refuse(("ctx:plan: a plan has 3 to 6 steps, not %d"):format(#steps),
      #steps < 3 and "work that small needs no plan" or "join steps, or plan a part")
  end
  for i, step in ipairs(steps) do
    if type(step) ~= "string" or not step:find "%S" or step:find "\n" or #step > 120 then
      record.refuse(("ctx:plan: step %d is not a short sentence"):format(i),
        "a line of at most 120 bytes")
    end
  end
  if at < 1 or at > #steps + 1 then
    record.refuse(("ctx:plan: at is %d, and there are %d steps"):format(at, #steps),
      "one step is in progress; at = #steps + 1 when all are done")
  end
end

function verbs:plan(call, ...)
  local run = context.of(self).run
  no_more("ctx:plan",
    'put everything into one table: ctx:plan { steps = { "Look.", "Act.", "Check." }, at = 1 }',
    ...)
  record.check(call, plan_fields, "ctx:plan")
  if call.calls and run.dry then
    run.worst.planned = (run.worst.planned or 0) + math.max(0, call.calls)
  end
  if call.checks then require("moonlet.engine.effects.validation").plan(run, call.checks) end
  if not call.steps then
    if call.at or not (call.calls or call.checks) then
      record.refuse("ctx:plan needs 'steps'",
        'ctx:plan { steps = { "Look.", "Act.", "Check." }, at = 1 }')
    end
    return
  end
  local at, steps, lines = call.at or 1, core.json.array {}, {}
  check_steps(call.steps, at)
  for i, text in ipairs(call.steps) do
    local status = i < at and "done" or i == at and "in_progress" or "pending"
    steps[i] = { step = text, status = status }
    lines[i] = ("- [%s] %s\n"):format(status == "done" and "x" or status == "in_progress" and ">"
      or " ", text)
  end
  run.write_artifact(run.sidecar .. "/plan.md", "# Plan\n\n" .. table.concat(lines), true)
  run.emit("plan", { steps = steps })
  if call.steps[at] then run.emit("phase", { name = call.steps[at] }) end
end

local longest_log = 4000

local function log_text(value)
  if type(value) ~= "table" then return tostring(value) end
  local ok, text = pcall(core.json.encode, value)
  return ok and text or tostring(value)
end

function verbs:log(...)
  local run, parts = context.of(self).run, table.pack(...)
  for i = 1, parts.n do parts[i] = log_text(parts[i]) end
  run.emit("log", { text = core.text.cut(table.concat(parts, " ", 1, parts.n), longest_log) })
end

local function observe(ctx, verb, input, fn, clean)
  local state = context.of(ctx)
  input.verb = verb
  return journal.fact(state.run, context.key(state, verb, true), input, fn, clean)
end

local function plain_error(err)
  return { kind = err.kind, message = err.message, hint = err.hint, at = err.at }
end

function verbs:sleep(time)
  local state = context.of(self)
  local ms = duration.ms(time, "ctx:sleep")
  journal.step(state.run, context.key(state, "sleep"), { verb = "sleep", ms = ms }, {}, function()
    core.task.sleep(ms)
    return true
  end)
end

function verbs:now() return observe(self, "now", {}, core.clock.wall) end

function verbs:random(low, high)
  local bits = observe(self, "random", {}, function()
    return tonumber(core.clock.random_hex(7), 16) >> 3
  end)
  if low == nil then return bits / (1 << 53) end
  if high == nil then low, high = 1, low end
  if math.type(low) ~= "integer" or math.type(high) ~= "integer" or low > high
    or high - low >= 1 << 53 or high - low < 0 then
    record.refuse("ctx:random needs whole numbers, the smaller one first")
  end
  return low + bits % (high - low + 1)
end

local function refuse_missing(err, options, hint)
  if not err or options.missing == "nil" then return end
  error({ kind = "invalid", message = err.message, at = core.text.place(),
    hint = hint or (err.hint and err.hint .. ", or " or "")
      .. 'take nil for it: { missing = "nil" }' }, 0)
end

local function check_look(verb, path, options, fields, ...)
  no_more(verb, verb .. "(path, options)", ...)
  if type(path) ~= "string" then
    core.lost.refuse(path)
    record.refuse(("%s needs a path, not a %s"):format(verb, type(path)), verb .. '("src")')
  end
  options = record.check(options or {}, fields, verb)
  if options.missing and options.missing ~= "nil" then
    record.refuse(verb .. ': missing is "nil", or left out')
  end
  return options
end

function verbs:read(path, options, ...)
  local run = context.of(self).run
  options = check_look("ctx:read", path, options, { cap = "integer", missing = "string" }, ...)
  grants.check_read(run.grants, path)
  local cap = grants.read_cap("ctx:read", options.cap)
  local seen = observe(self, "read", { path = path, cap = cap }, function()
    local text, err, cut = core.file.read(run.home.root, path, cap)
    if not text and run.checking and run.checking.made_up[path] then
      return { text = "an example\n" }
    end
    return { text = text, err = err and plain_error(err), cut = cut }
  end, function(value)
    local kept = value.text and require("moonlet.facts.clean").file(path, value.text)
    return kept == value.text and value or { text = kept, cut = value.cut, redacted = true }
  end)
  refuse_missing(seen.err, options)
  return seen.text, seen.err, seen.cut, seen.redacted
end

function verbs:list(path, options, ...)
  local run = context.of(self).run
  options = check_look("ctx:list", path, options, { missing = "string" }, ...)
  grants.check_read(run.grants, path)
  local seen = observe(self, "list", { path = path }, function()
    local entries, err = core.file.list(run.home.root, path)
    return { entries = entries and core.json.array(entries), err = err and plain_error(err) }
  end)
  refuse_missing(seen.err, options,
    path:find "[*?]" and "ctx:list takes a folder and no pattern: go over its entries,"
    .. " or have the files listed with --input 'glob:…', as ctx.inputs" or nil)
  return seen.entries, seen.err
end

local host_files = {
  ["prompt.md"] = true, ["input-manifest.md"] = true, ["output.md"] = true, ["decision.md"] = true,
  ["model.md"] = true, ["model.json"] = true, ["events.jsonl"] = true, ["stdout.log"] = true,
  ["stderr.log"] = true, ["exit.json"] = true, ["changes.patch"] = true, ["held-back.patch"] = true,
  ["schema.json"] = true, ["plan.md"] = true, ["before-merge"] = true, out = true, steps = true,
}

function verbs:write(name, text, ...)
  local state = context.of(self)
  local run = state.run
  no_more("ctx:write", 'ctx:write("report.md", text)', ...)
  core.lost.refuse(text)
  if type(name) ~= "string" or type(text) ~= "string" then
    local wrong = type(name) ~= "string" and "the name" or "the text"
    record.refuse(("ctx:write needs a name and a text, and %s is a %s"):format(wrong,
      type(type(name) ~= "string" and name or text)),
      "for a table: ctx:write(\"x.json\", m.json.encode(value))")
  end
  if not name:match("^[%w_][%w_.-]*$") or host_files[name] or name:find "^attempt%-%d" then
    record.refuse(("ctx:write cannot write '%s'"):format(core.text.printable(name, 80)),
      "give a plain file name that the host does not use itself, such as findings.md")
  end
  core.task.check()
  local path = (run.artifacts or run.sidecar) .. "/" .. name
  run.write_artifact(path, text)
  run.emit("artifact", { path = path, bytes = #text })
  if name == "findings.md" and not run.artifacts then run.note_findings(state.path, text) end
end

return verbs
