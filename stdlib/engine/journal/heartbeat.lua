--- The clock of a run: how long it has been driven, taken from its journal, so that hosts that were killed count too.
--- If that time is limited, a long step records a heartbeat now and then.
local background = require "moonlet.engine.base.background"
local per_run = require "moonlet.engine.base.per_run"
local task = core.task

local M = {}

--- `last_beat`: when the last heartbeat was recorded; `least_wall`: the smallest limit on the wall time, in ms.
local state_of = per_run(function() return { last_beat = 0, least_wall = nil } end)

local longest_ms, shortest_ms, share = 10000, 500, 20

--- Milliseconds for which hosts have driven the run; nil if they are not counted.
---@param run table
---@return integer?
function M.now(run)
  return run.started and run.driven_before + core.clock.monotonic() - run.started
end

--- Limits the wall time of a run or of a scope of it: steps record heartbeats from now on.
---@param run moonlet.Run
---@param wall_ms integer?
function M.limit(run, wall_ms)
  local state = state_of(run)
  if wall_ms then state.least_wall = math.min(state.least_wall or wall_ms, wall_ms) end
end

local function beat(run, key, every)
  local state = state_of(run)
  while true do
    task.watch_sleep(every)
    local now = M.now(run)
    if now - state.last_beat >= every then
      state.last_beat = now
      core.journal.note(core.json.encode { type = "alive", key = key, driven_ms = now })
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
  local least_wall = state_of(run).least_wall
  if not least_wall or verb == "step" then return fn(...) end
  local every = math.max(shortest_ms, math.min(longest_ms, least_wall // share))
  return background.during(function() beat(run, key, every) end, fn, ...)
end

return M
