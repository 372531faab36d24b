--- Answers that no agent gives: those of the call's own rules, and those of the runner `mock`. They cost nothing and
--- are made each time anew.
local artifacts = require "moonlet.engine.agent.sidecar"
local budget = require "moonlet.engine.budget.budget"
local cassette = require "moonlet.engine.runner.cassette"
local inherited = require "moonlet.engine.journal.adoption"
local journal = require "moonlet.engine.journal.journal"
local mock = require "moonlet.engine.runner.mock"
local record = require "moonlet.record"
local runners = require "moonlet.engine.load.runners"
local schemas = require "moonlet.engine.runner.schema"
local scope = require "moonlet.engine.context.scope"
local worktree = require "moonlet.engine.workspace.worktree"

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
    data = schemas.shaped(data, call.schema)
    local problems = core.json.validate(call.schema, data)
    if problems then
      error({ kind = "failed", at = place_of(call.rules), message = "the rules returned something else than the schema "
        .. "asks for: " .. problems:gsub("%s*\n%s*", "; "):gsub("; $", "") }, 0)
    end
    text = core.json.encode(data, 2)
  end
  return { status = "ok", text = text, data = data }
end

local function by_mock(run, state, key, call)
  run.mocked = true
  return budget.with(state.budget, { agents = 1 }, function()
    local made = mock.answer(call.schema, key)
    made.status = "ok"
    return made
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
  local err = record.invalid(("nobody can answer the agent call '%s': the run has no runner, and the call no rules")
    :format(call.name or "agent"), hint .. "--runner mock makes answers up and costs nothing")
  err.unasked = true
  error(err, 0)
end

--- An attempt of an agent that was under way where rules are asked by now.
local function give_up_earlier(run, key, dir)
  local last = run.journal and run.journal.begins[key]
  local id = last and not last.spent and inherited.id(key, last.a)
  local state = id and inherited.state(key, id) or "none"
  if state == "none" then return end
  if state == "running" then inherited.stop(key, id) end
  local changed = worktree.give_up(run, key, dir, last.tree)
  local text = ("rules are asked now: attempt %d of an agent is given up"):format(last.a)
  run.emit("warning", { step = key, text = text })
  journal.attempt(run, key, { number = last.a, status = "abandoned", class = "abandoned", error = text,
    changed = changed and core.json.array(changed) or nil })
  journal.spent(run, key)
end

--- Runs the step of a call whose answer is made here.
---@param state moonlet.State
---@param key string
---@param job moonlet.Job
---@return table answer
function M.run(state, key, job)
  local run, call, dir, name = state.run, job.call, job.dir, job.runner.name
  local step = run.begin_step(key, "agent", name)
  core.event.emit("step.started", key, { kind = "agent", runner = name })
  give_up_earlier(run, key, dir)
  run.open_directory(dir)
  run.write_artifact(dir .. "/prompt.md", call.prompt, true)
  local ok, result = pcall(name == "mock" and by_mock or by_rules, table.unpack(
    name == "mock" and { run, state, key, call } or { call }))
  job.step = step
  if not ok then
    run.end_step(step, "failed", { error = result })
    artifacts.write_agent(job, { status = "failed", text = "", error = result })
    error(result, 0)
  end
  run.write_artifact(dir .. "/output.md", core.text.clean(result.text), true)
  if run.options.record then
    cassette.keep(job, { number = 1, prompt = call.prompt }, { why = "exited", code = 0 }, result.text)
  end
  run.end_step(step, "ok", {})
  artifacts.write_agent(job, result)
  return { text = result.text, data = result.data, files_changed = core.json.array {}, dir = run.absolute(dir) }
end

return M
