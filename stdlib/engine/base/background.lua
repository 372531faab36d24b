--- Runs a task beside a function call. It must sleep with task.watch_sleep, because any other sleep
--- keeps the run from parking.
local task = core.task

local M = {}

--- Calls fn(…) and returns its results, while `watcher` runs beside it.
--- Errors of `watcher` are ignored.
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

--- Calls fn(…) beside `other`, and waits for both. An error of fn(…) cancels `other`.
---@param other fun(): any
---@return boolean ok     `other` raised no error
---@return any result     of `other`, or its error
---@return any ...        results of fn(…)
function M.both(other, fn, ...)
  local scope, ok, result = task.open_scope {}, false, nil
  task.spawn(scope, function() ok, result = pcall(other) end)
  local results = table.pack(pcall(fn, ...))
  if not results[1] then
    task.cancel_scope(scope, { kind = "cancelled", message = "the work beside it has failed" })
  end
  task.wait_scope(scope)
  task.close_scope(scope)
  if not results[1] then error(results[2], 0) end
  return ok, result, table.unpack(results, 2, results.n)
end

return M
