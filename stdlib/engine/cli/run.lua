--- `moonlet run` runs a preset, a Lua file or a packet.
local options = require "moonlet.engine.cli.options"
local loader = require "moonlet.engine.load.loader"
local report = require "moonlet.engine.run.report"
local run_module = require "moonlet.engine.run.run"
local formats = require "moonlet.engine.cli.formats"
local known = require "moonlet.engine.cli.run.known"
local plan_module = require "moonlet.engine.cli.run.plan"
local detached = require "moonlet.engine.cli.task.detached"
require "moonlet.engine.run.verbs"

local M = { known = known.all }

local function tell_of_swept(home)
  for _, swept in ipairs(core.runs.sweep(home.handle)) do
    if swept.killed > 0 then
      core.event.emit("warning", nil,
        { text = ("%s was left by a dead host: %d of its processes were ended")
        :format(swept.run, swept.killed) })
    end
  end
end

--- Calls a function that makes a plan.
--- Marks its errors as mistakes of the caller, because no process has been started yet.
function M.planned(make, ...)
  local ok, plan, help = pcall(make, ...)
  if ok then return plan, help end
  if type(plan) == "table" and rawget(plan, "kind") ~= "cancelled" then plan.usage = true end
  error(plan, 0)
end

--- Starts the run that an embedding program requested.
---@param request moonlet.Request
function M.start_request(request, output)
  local plan = M.planned(plan_module.of_request, request, output)
  if not plan then options.refuse("the option 'help' is for people") end
  for _, name in ipairs { "background", "edits", "compare" } do
    if plan[name] then options.refuse(("the option '%s' is for the command line"):format(name)) end
  end
  if #plan.runners > 1 then options.refuse("a request takes one runner", "start a run for each") end
  return M.start(plan, nil, output)
end

function M.main(words, output, consent)
  local plan, help = M.planned(plan_module.of_words, words, output, consent)
  if not plan then
    options.print_help(help, output.json)
    return nil, 0
  end
  return M.start(plan, words, output, consent)
end

--- Executes a plan in this process or in a background process, as its options require.
function M.start(plan, words, output, consent, origin)
  if plan.background then return detached.leave(plan.home, words, output.json) end
  core.event.display(plan.display)
  tell_of_swept(plan.home)
  local function plan_again(more, other)
    local place = { base = origin and origin.base }
    for name, value in pairs(more) do place[name] = value end
    return (plan_module.of_words(other or words, output, consent, place))
  end
  local drive = M.drive
  if #plan.runners > 1 or plan.edits or plan.if_ready then
    local ways = require "moonlet.engine.cli.task.ways"
    function drive(first) return ways.drive(first, words, plan_again, M.drive) end
  end
  if plan.detached then return detached.drive(plan, drive) end
  return drive(plan)
end

function M.drive(plan)
  -- A background run prints its id as one line before all events, because its reader waits for it.
  function plan.begun(run)
    if plan.on_record then plan.on_record() end
    if not plan.detached then return end
    plan.told = true
    core.system.print(1, run.id .. "\n")
    core.detach.done(run.home.agent_path .. "/runs/" .. run.id .. "/host.log")
  end
  local warning = loader.name_warning(plan.source, plan.preset)
  if warning then core.event.emit("warning", nil, { text = warning }) end
  local run = run_module.create(plan)
  local go = plan.options.dry_run and run_module.dry_run or run_module.execute
  local envelope, code = go(run)
  require("moonlet.engine.export.otlp").at_end(run.home, run.id, true)
  local forecast = plan.options.dry_run and type(envelope.result) == "table"
    and envelope.result.forecast
  if forecast then envelope.result.forecast = nil end
  local text, about = report.text(run, envelope)
  if forecast then
    envelope.result.forecast, text = forecast,
      require("moonlet.engine.cli.run.forecast").text(forecast) .. "\n" .. text
  end
  if plan.format then
    local status = formats.status(envelope.result) .. about.status
    return envelope, code, formats.text(plan.format, envelope), { status = status }
  end
  return envelope, code, text, about
end

return M
