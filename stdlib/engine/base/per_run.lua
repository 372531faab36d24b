--- Gives a module a state of its own for each run. No other module sees it, and it goes with the run.

--- A function that returns the module's state for a run.
---@generic T
---@param initial fun(): T  makes it
---@return fun(run: table): T
return function(initial)
  local states = setmetatable({}, { __mode = "k" })
  return function(run)
    run = run.whole or run
    local state = states[run]
    if not state then
      state = initial()
      states[run] = state
    end
    return state
  end
end
