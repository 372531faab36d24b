--- What a body has to put in order when it has ended: ctx:finally. A run that parks has not ended: it goes on where it
--- was, and finds there what it had set up.
local endings = require "moonlet.internal.endings"
local journal = require "moonlet.internal.journal"
local task = core.task

local M = {}

local finally_ms = 10000

local function kind_of(err)
  return type(err) == "table" and rawget(err, "kind") or "failed"
end

--- Calls `fn` where no cancellation reaches it, but for a time limit of its own. Nothing is raised.
---@param what string
---@param fn function
---@return boolean ok, any error
function M.shielded(what, fn)
  local shield = task.open_scope { timeout = finally_ms, shield = true, what = what }
  local ok, err = pcall(fn)
  task.wait_scope(shield)
  task.close_scope(shield)
  return ok, err
end

--- The part of the record that the clean-up of this ending has for its own.
local function place_of(state, how)
  local run = state.run
  local key = endings.key(run.journal and run.journal.endings or {}, state.path, how)
  journal.fact(run, key, { verb = "finally", how = how }, function() return how end)
  return { path = key, counts = {} }
end

local function run_finalizers(state, how)
  local run, current, first = state.run, task.current(), nil
  run.cleaning = run.cleaning or {}
  local place, around = place_of(state, how), run.cleaning[current]
  -- The ctx may be used in other tasks of the clean-up too.
  state.path, state.counts, run.cleaning[current] = place.path, place.counts, place
  state.open = true
  M.shielded("ctx:finally", function()
    for i = #state.finalizers, 1, -1 do
      local ok, err = pcall(state.finalizers[i])
      if not ok then first = first or err end
    end
  end)
  state.open = false
  run.cleaning[current] = around
  return first
end

--- Cleans up what was put off below a path: the run goes on there, so it does not wait for a quota.
local function clean_up_below(run, path)
  local below = path == "" and "" or path .. "/"
  local list, i = run.put_off, 1
  while list[i] do
    local item = list[i]
    if item.state.path:sub(1, #below) == below then
      table.remove(list, i)
      run_finalizers(item.state, item.how)
      i = 1
    else
      i = i + 1
    end
  end
end

local function put_off(state, how)
  local run = state.run
  if not run.put_off then
    run.put_off = {}
    function run.clean_up_below(path) if run.put_off[1] then clean_up_below(run, path) end end
  end
  table.insert(run.put_off, { state = state, how = how })
end

--- A body has ended: puts in order what it leaves, unless the run parks. Where it may park for a quota that is put
--- off until an enclosing body goes on all the same; if none does, the run parks.
---@param state moonlet.State
---@param ok boolean
---@param err any
---@return any error  the first one that was raised
function M.after(state, ok, err)
  local run, pending = state.run, task.pending_error()
  local how = not ok and kind_of(err) or pending and kind_of(pending) or "ok"
  if run.is_parking and how ~= "cancelled" then
    run.owes_cleanup = run.owes_cleanup or state.finalizers[1] ~= nil or nil
    return nil
  end
  if not ok and run.quota_error and how ~= "cancelled" then
    if state.finalizers[1] then put_off(state, how) end
    run.owes_cleanup = run.put_off and run.put_off[1] ~= nil or nil
    return nil
  end
  if run.clean_up_below then run.clean_up_below(state.path) end
  if not state.finalizers[1] then return nil end
  return run_finalizers(state, how)
end

return M
