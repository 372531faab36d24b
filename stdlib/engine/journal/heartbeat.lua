--- The clock of a run: how long it has been driven, taken from its journal, so that hosts that were killed count too.
--- If that time is limited, a long step records a heartbeat now and then.
local beside = require "moonlet.engine.base.background"
local task = core.task

local M = {}

local longest_ms, shortest_ms, share = 10000, 500, 20

--- Milliseconds for which hosts have driven the run; nil if they are not counted.
---@param run table
---@return integer?
function M.now(run)
  return run.started and run.driven_before + core.clock.monotonic() - run.started
end

local function beat(run, key, every)
  while true do
    task.watch_sleep(every)
    local now = M.now(run)
    if now - (run.last_beat or 0) >= every then
      run.last_beat = now
      core.journal.note(core.json.encode { t = "alive", k = key, ms = now })
    end
  end
end

--- Calls fn(…), which executes a step, and records heartbeats meanwhile.
---@param run table
---@param key string
---@param verb string
---@param fn function
function M.during(run, key, verb, fn, ...)
  -- The steps in a function do so by themselves.
  if not run.least_wall or verb == "step" then return fn(...) end
  local every = math.max(shortest_ms, math.min(longest_ms, run.least_wall // share))
  return beside.during(function() beat(run, key, every) end, fn, ...)
end

return M
