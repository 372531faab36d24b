--- Runs a background task during a wait and ends it with that wait. The task uses task.watch_sleep,
--- so that a run which only waits for a person can still park.
local task = core.task

local M = {}

--- Calls fn(…) and returns its results. `watcher` runs meanwhile and is cancelled afterwards. Its
--- errors are ignored.
---@param watcher fun()
---@return any ...
function M.during(watcher, fn, ...)
  local scope = task.open_scope {}
  task.spawn(scope, function() pcall(watcher) end)
  local results = table.pack(pcall(fn, ...))
  task.cancel_scope(scope, { kind = "cancelled", message = "the awaited work has ended" })
  task.wait_scope(scope)
  task.close_scope(scope)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

return M
