--- Tracks the paid processes that are in flight in the steps of a run.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"

local M = {}

local look_ms = 50

--- Calls fn, which waits for the end of what is paid for in a step.
---@generic T
---@param step table?
---@param fn fun(): T
---@return T
function M.during(step, fn)
  if not step then return fn() end
  step.under_way = true
  local ok, result = pcall(fn)
  step.under_way = nil
  if not ok then error(result, 0) end
  return result
end

--- Waits for the steps that are under way below `path` when the host itself failed: paid processes finish first. A
--- cancel ends the wait.
---@param run table
---@param path string  of the scope that ends
---@param err any
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
