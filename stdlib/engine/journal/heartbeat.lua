--- Measures how long hosts have worked on a run, including killed hosts. The time is read from the
--- journal. If the time is limited, long steps record heartbeats, so that little time is lost.
local background = require "moonlet.engine.base.background"
local per_run = require "moonlet.engine.base.per_run"
local task = core.task

local M = {}

--- `least_wall` is the smallest limit on wall time, in ms.
local state_of = per_run(function() return { last_beat = 0, least_wall = nil } end)

local longest_ms, shortest_ms, share = 10000, 500, 20

--- Returns the time in ms that hosts have worked on the run, or nil if it is not measured.
function M.now(run)
  return run.started and run.driven_before + core.clock.monotonic() - run.started
end

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

function M.during(run, key, verb, fn, ...)
  -- Steps inside of a ctx:step record their own heartbeats.
  local least_wall = state_of(run).least_wall
  if not least_wall or verb == "step" then return fn(...) end
  local every = math.max(shortest_ms, math.min(longest_ms, least_wall // share))
  return background.during(function() beat(run, key, every) end, fn, ...)
end

return M
