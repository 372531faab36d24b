--- Runs irreversible commands at most once for each approval.
--- The start is recorded first, the command outlives its host, and a resumed host adopts it.
--- If a command's exit is unknown, a person decides whether to run it again.
local gate = require "moonlet.engine.effects.gate"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local adoption = require "moonlet.engine.journal.adoption"
local journal = require "moonlet.engine.journal.journal"
local in_flight = require "moonlet.engine.context.in_flight"

local M = {}

local run_child = infrastructure_error.run_child

local doubt = "it may or may not have happened"

local function taken(run, key, number, state)
  run.emit("log", { step = key, taken_over = true, text = state == "running"
    and "it still runs since an earlier host started it: waiting for it"
      or "it ended under the earlier host: its result is used" })
  return adoption.take(key, adoption.id(key, number))
end

local function take_or_start(run, key, last, hash, call, start)
  local number = 1
  if last then
    number = last.attempt
    local state = adoption.state(key, adoption.id(key, number))
    local told = last.spent or run.journal.ended[key]
    if (state == "running" or state == "exited") and not told then
      local exit = taken(run, key, number, state)
      if exit.why ~= "cancelled" and exit.why ~= "lost" then return exit end
      state = "lost"
    end
    if state ~= "none" then
      gate.done_before(run, key, number, call.argv,
        state == "lost" and "was ended with its host: " .. doubt
        or "reached its end")
    end
    if state == "none" and not last.spent then adoption.check_unknown(run) end
    if state ~= "none" or last.spent then number = number + 1 end
  end
  journal.begin(run, key, number, hash, { once = true })
  call.attempt, call.outlives = adoption.id(key, number), true
  return start(call)
end

--- Starts the command of a step, or adopts one that an earlier host started.
---@param last table?    begin record of the last attempt
---@param call table     argument of core.process.run
---@param start (fun(call: table): table)?  starts the command; default: on this machine
function M.run(run, key, last, hash, call, start)
  start = start or run_child
  if not run.journal then return start(call) end
  return in_flight.during(run.step_keys[key], function()
    return take_or_start(run, key, last, hash, call, start)
  end)
end

--- Waits for the end of a command that an earlier host started, if the script now has another
--- command in its place, and warns. If `asks` is set, a person decides whether the new command
--- runs.
---@param earlier table   begin record of the command
---@param argv string[]   present command of the step
---@param asks boolean    true if the present command is irreversible, too
function M.settle(run, key, earlier, argv, asks)
  local id = adoption.id(key, earlier.attempt)
  local state = adoption.state(key, id)
  if state == "none" then return end
  if state == "running" then adoption.take(key, id) end
  local how = "its input has changed since: " .. doubt
  run.emit("warning",
    { step = key, text = ("attempt %d was started, and %s"):format(earlier.attempt, how) })
  if asks then gate.done_before(run, key, earlier.attempt, argv, how) end
end

return M
