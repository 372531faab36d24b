--- Answers that no agent gives: those of the call's own rules, which are made each time anew, and those of the runner
--- `mock`, which a resumed run has from the journal. They cost nothing.
local sidecar = require "moonlet.engine.agent.sidecar"
local budget = require "moonlet.engine.budget.budget"
local cassette = require "moonlet.engine.runner.cassette"
local execution = require "moonlet.engine.agent.execution"
local journal = require "moonlet.engine.journal.journal"
local mock = require "moonlet.engine.runner.mock"
local outcome = require "moonlet.engine.agent.outcome"
local input_manifest = require "moonlet.engine.agent.input_manifest"
local record = require "moonlet.record"
local recovery = require "moonlet.engine.agent.recovery"
local resolved_call = require "moonlet.engine.agent.resolved_call"
local runners = require "moonlet.engine.load.runners"
local schema = require "moonlet.engine.runner.schema"
local scope = require "moonlet.engine.context.scope"

local M = {}

local function place_of(fn)
  local at = core.text.place(fn)
  return type(at) == "string" and at or nil
end

local function by_rules(call)
  local data = scope.with_place(call.rules)
  if data == nil then
    error(record.invalid("the rules of the agent call returned nothing", "return the answer: data, or a text",
      place_of(call.rules)), 0)
  end
  if type(data) == "string" and not call.schema then return { status = "ok", text = data } end
  local encoded, text = pcall(core.json.encode, data, 2)
  if not encoded then
    error(record.invalid("the rules returned no JSON value: " .. record.fault(data, "rules()"), text.hint,
      place_of(call.rules)), 0)
  end
  if call.schema then
    data = schema.shaped(data, call.schema)
    local problems = core.json.validate(call.schema, data)
    if problems then
      error({ kind = "failed", at = place_of(call.rules), message = "the rules returned something else than the schema "
        .. "asks for: " .. schema.in_words(problems) }, 0)
    end
    text = core.json.encode(data, 2)
  end
  return { status = "ok", text = text, data = data }
end

local function by_mock(run, state, key, call, step)
  run.mocked = true
  return budget.with(state.budget, { agents = 1 }, function()
    local input = { verb = "mock", prompt = call.prompt, schema = call.schema }
    step.cached = true
    local made = journal.fact(run, key .. "/mock", input, function()
      step.cached = false
      return mock.answer(call.schema, key)
    end)
    return { status = "ok", text = made.text, data = made.data }
  end)
end

--- Raises where the runner is `rules` and a call has none: nobody could answer it.
---@param run table
---@param call table
function M.check_rules(run, call)
  if call.rules or run.dry then return end
  local names = {}
  for name in pairs(runners.installed(run.config)) do names[#names + 1] = name end
  table.sort(names)
  local hint = #names > 0 and ("%s is installed: --runner %s asks it; "):format(names[1], names[1])
    or "name an agent with --runner codex or --runner 'command:PROGRAM ARG…'; "
  local err = record.invalid(("the agent call '%s' cannot be answered: the run has no runner, and the call no rules")
    :format(call.name or "agent"), hint .. "--runner mock makes answers up and costs nothing")
  run.unasked = err.message
  error(err, 0)
end

--- Runs the step of a call whose answer is made here.
---@param state moonlet.State
---@param resolved moonlet.ResolvedCall
---@param key string
---@param dir string
---@return table answer
function M.run(state, resolved, key, dir)
  local run, call, name, prompt = state.run, resolved.call, resolved.runner.name, resolved_call.prompt(resolved)
  local step = run.begin_step(key, "agent", name)
  core.event.emit("step.started", key, { kind = "agent", runner = name })
  recovery.give_up(run, key, dir)
  run.open_directory(dir)
  input_manifest.write(resolved, key, dir)
  run.write_artifact(dir .. "/prompt.md", prompt, true)
  local ok, result = pcall(name == "mock" and by_mock or by_rules, table.unpack(
    name == "mock" and { run, state, key, call, step } or { call }))
  local job = execution.new(resolved, key, dir)
  job.step = step
  if not ok then
    run.end_step(step, "failed", { error = result })
    sidecar.write_agent(job, outcome.raised(result, {}, { warnings = {}, files_changed = {} }))
    error(result, 0)
  end
  run.write_artifact(dir .. "/output.md", core.text.clean(result.text), true)
  if run.options.record then
    cassette.keep(job, { number = 1, prompt = prompt }, { why = "exited", code = 0 }, result.text)
  end
  run.end_step(step, "ok", {})
  sidecar.write_agent(job, result)
  return { text = result.text, data = result.data, attempts = core.json.array {}, files_changed = core.json.array {},
    dir = run.absolute(dir) }
end

return M
