--- Gives a module private state for each run. The state is freed with the run.

---@generic T
---@param initial fun(): T  creates the state
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
