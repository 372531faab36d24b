--- Tracks which steps wait for a paid process, such as an agent. After an infrastructure error, the
--- run waits until these processes have ended.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"

local M = {}

local look_ms = 50

--- Calls fn, and marks the step as running meanwhile.
function M.during(step, fn)
  if not step then return fn() end
  step.under_way = true
  local ok, result = pcall(fn)
  step.under_way = nil
  if not ok then error(result, 0) end
  return result
end

--- After an infrastructure error, waits for the paid processes below `path`, or a cancellation.
function M.let_end(run, path, err)
  if not infrastructure_error.is(err) then return end
  local within, waiting = path == "" and "" or path .. "/", {}
  for _, step in ipairs(run.steps) do
    if step.under_way and step.key:sub(1, #within) == within then waiting[#waiting + 1] = step end
  end
  for _, step in ipairs(waiting) do
    while step.under_way and pcall(core.task.sleep, look_ms) do end
  end
end

return M
