--- Answers a call with the runner `mock`, which costs nothing. A resumed run gets the same answer
--- from the journal.
local sidecar = require "moonlet.engine.agent.sidecar"
local budget = require "moonlet.engine.budget.budget"
local cassette = require "moonlet.engine.runner.cassette"
local execution = require "moonlet.engine.agent.execution"
local journal = require "moonlet.engine.journal.journal"
local mock = require "moonlet.engine.runner.mock"
local outcome = require "moonlet.engine.agent.outcome"
local recovery = require "moonlet.engine.agent.recovery"
local resolved_call = require "moonlet.engine.agent.resolved_call"

local M = {}

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

function M.run(state, resolved, key, dir)
  local run, prompt = state.run, resolved_call.prompt(resolved)
  local step = run.begin_step(key, "agent", "mock")
  core.event.emit("step.started", key, { kind = "agent", runner = "mock" })
  if not run.forecast then recovery.give_up(run, key, dir) end
  run.open_directory(dir)
  sidecar.write_manifest(resolved, key, dir)
  run.write_artifact(dir .. "/prompt.md", prompt, true)
  local ok, result = pcall(by_mock, run, state, key, resolved.call, step)
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
  return { text = result.text, data = result.data, attempts = core.json.array {},
    files_changed = core.json.array {}, dir = run.absolute(dir) }
end

return M
