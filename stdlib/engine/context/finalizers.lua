--- Runs a body's finalizers (ctx:finally) after the body has ended. If the run parks, the body has
--- not ended, so its finalizers do not run. If a finalizer parks the run, the remaining finalizers
--- run after the resume.
local finalizer_journal = require "moonlet.engine.journal.finalizer_journal"
local journal = require "moonlet.engine.journal.journal"
local context = require "moonlet.engine.context.context"
local in_flight = require "moonlet.engine.context.in_flight"
local task = core.task

local M = {}

local finally_ms = 10000

local function kind_of(err) return type(err) == "table" and rawget(err, "kind") or "failed" end

local function is_cancelled(run) return run.is_cancelled ~= nil and run.is_cancelled() end

--- Calls `fn` with its own time limit, shielded from cancellation.
---@param fn fun(shield: any)
---@param ms integer?  time limit; default: the limit of ctx:finally
---@return boolean ok, any error
function M.shielded(what, fn, ms)
  local shield = task.open_scope { timeout = ms or finally_ms, shield = true, what = what }
  local ok, err = pcall(fn, shield)
  task.wait_scope(shield)
  task.close_scope(shield)
  return ok, err
end

function M.tell(state, err)
  local run, kind = state.run, kind_of(err)
  -- A clean-up that parks continues later, so it needs no warning.
  if kind == "prepared" or (kind == "parked" or kind == "quota") and not is_cancelled(run) then
    return
  end
  local text = ("the clean-up of %s is not complete: %s"):format(state.place and state.place.of
    or "the run",
    type(err) == "table" and tostring(rawget(err, "message")) or tostring(err))
  run.emit("warning", { step = state.place and state.place.path, text = text })
  -- A user who cancels a run that no host drives sees no events, so print the error.
  if run.cancels then
    core.system.print(2, ("moonlet: %s\n"):format(core.text.printable(text, 400)))
  end
end

local function place_of(state, how)
  local run = state.run
  local key = finalizer_journal.key(run.journal and run.journal.endings or {}, state.path, how)
  journal.fact(run, key, { verb = "finally", how = how }, function() return how end)
  return { path = key, counts = {}, of = state.path == "" and "the run" or state.path }
end

local function run_finalizer(state, place, fn)
  local inner = task.open_scope {}
  state.scope, state.failure, place.scope, place.failure = inner, nil, inner, nil
  local ok, err = pcall(fn)
  if not ok then
    in_flight.let_end(state.run, place.path, err)
    task.cancel_scope(inner, err)
  end
  task.wait_scope(inner)
  task.close_scope(inner)
  local failure = place.failure
  if failure == nil then failure = state.failure end
  if ok and failure ~= nil then return false, failure end
  return ok, err
end

local function parks(run, how, refused, ok, err)
  if how == "cancelled" or is_cancelled(run) then return false end
  return run.is_parking or not ok and run.quota_error ~= nil
    and (kind_of(err) == "quota" or run.quota_error ~= refused)
end

--- Runs the remaining finalizers, latest first. Returns the first error, and whether the run parks.
local function run_finalizers_in(state, place, how)
  local run, list, first = state.run, state.finalizers, nil
  while list[1] do
    local refused = run.quota_error
    local ok, err = run_finalizer(state, place, table.remove(list))
    if parks(run, how, refused, ok, err) then return task.pending_error() or err, true end
    if not ok and first ~= nil then M.tell(state, err) end
    if not ok and first == nil then first = err end
  end
  return first, false
end

local function remove(list, item)
  for i = #list, 1, -1 do
    if list[i] == item then return table.remove(list, i) end
  end
end

local put_off

local function run_finalizers(state, how)
  local run, current, scope, failure = state.run, task.current(), state.scope, state.failure
  local cleanup = context.cleanup(run)
  -- If the clean-up has parked before, continue it with its recorded key and step counters.
  state.place = state.place or place_of(state, how)
  local place, around = state.place, cleanup.places[current]
  -- Reopen the ctx of the ended body, because tasks that the clean-up starts may use it, too.
  state.path, state.counts, cleanup.places[current] = place.path, place.counts, place
  state.open = true
  local first, is_parked
  M.shielded("ctx:finally", function(shield)
    table.insert(cleanup.shields, shield)
    first, is_parked = run_finalizers_in(state, place, how)
    remove(cleanup.shields, shield)
  end)
  state.open = false
  state.scope, state.failure = scope, failure
  cleanup.places[current] = around
  if is_parked then
    if not run.is_parking then put_off(state, how) end
    cleanup.is_owed = true
  end
  return first
end

--- Runs postponed finalizers below a path, because the run continues instead of parking.
function M.clean_up_below(run, path)
  local below = path == "" and "" or path .. "/"
  local list, i = context.cleanup(run).put_off, 1
  while list[i] and not run.is_parking do
    local item = list[i]
    if item.state.path:sub(1, #below) == below then
      table.remove(list, i)
      local err = run_finalizers(item.state, item.how)
      if err ~= nil then M.tell(item.state, err) end
      i = 1
    else
      i = i + 1
    end
  end
end

function put_off(state, how)
  table.insert(context.cleanup(state.run).put_off, { state = state, how = how })
end

--- Runs a body's finalizers after the body has ended. Does nothing if the run is parking.
--- After a quota error, which may park the run, postpones them until an enclosing body continues.
---@return any error  first error of the finalizers
function M.after(state, ok, err)
  local run, pending = state.run, task.pending_error()
  local cleanup = context.cleanup(run)
  local how = not ok and kind_of(err) or pending and kind_of(pending) or "ok"
  if run.forecast and how == "prepared" then return nil end
  if not ok and not run.is_parking and run.quota_error and how ~= "cancelled"
      and not is_cancelled(run) then
    if state.finalizers[1] then put_off(state, how) end
    cleanup.is_owed = cleanup.put_off[1] ~= nil or nil
    return nil
  end
  M.clean_up_below(run, state.path)
  if not state.finalizers[1] then return nil end
  if run.is_parking and how ~= "cancelled" then
    cleanup.is_owed = true
    return nil
  end
  return run_finalizers(state, how)
end

return M
