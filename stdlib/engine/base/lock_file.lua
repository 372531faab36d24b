--- Locks files below `.agent` across processes and tasks. A waiting task does not block others.
local M = {}

local wait_ms, patience_ms = 20, 30 * 1000

---@generic T
---@param root any      opened `.agent` folder
---@param fn fun(): T
---@return T
function M.during(root, name, fn)
  local since = core.clock.monotonic()
  while true do
    local held, err, busy = core.file.lock(root, name, 0, "process " .. core.system.pid)
    if held then
      local ok, result = pcall(fn)
      core.file.unlock(held)
      if not ok then error(result, 0) end
      return result
    end
    if not busy or core.clock.monotonic() - since > patience_ms then error(err, 0) end
    core.task.sleep(wait_ms)
  end
end

return M
