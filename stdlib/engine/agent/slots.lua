--- Limits the number of agents in all of the user's runs to `limits.parallel`.
--- Each slot is a lock on a small file. The kernel releases the lock when the host dies.
local background = require "moonlet.engine.base.background"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

---@class moonlet.SlotState
---@field root any           folder of the locks; false if the locks cannot be used
---@field line table[]       queue of waiting calls in this run
---@field look_at integer    time of the next check of the slots' owners
---@field told integer       earliest time of the next report about the slots' owners
---@field stopped_told integer  earliest time of the next report about a stopped owner
local state_of = per_run(function()
  return { root = nil, line = {}, look_at = 0, told = 0, stopped_told = 0 }
end)

local poll_ms = 50
local told_after_ms = 1000
--- After this time, a host takes a free slot even if another host is ahead in the queue, because
--- that host may be stopped. A running host takes a free slot within one poll.
local line_ms = 2000
local told_again_ms = 60 * 1000
local holder_cap = 400
local most_shown = 4

local function lock(root, name, who)
  local held, err, busy = core.file.lock(root, name, 0, who)
  if not held and not busy then error(infrastructure_error.mark(err), 0) end
  return held
end

local function take(root, limit, who)
  for i = 1, limit do
    local held = lock(root, "slot-" .. i, who)
    if held then return held end
  end
end

--- Returns the folder of the locks, or nil if the state folder is not writable.
local function folder(run)
  local state = state_of(run)
  if state.root == nil then
    local path = core.system.state_dir()
    local root, err = nil, { message = "neither XDG_STATE_HOME nor HOME is set" }
    if path then root, err = core.file.make_root(path .. "/slots") end
    state.root = root or false
    if not root then
      run.emit("warning",
        { text = "limits.parallel is not shared with other runs: " .. tostring(err.message) })
    end
  end
  return state.root or nil
end

local function is_stopped(pid)
  local root = core.file.root("/proc/" .. pid)
  local text = root and core.file.read(root, "stat", holder_cap)
  return text ~= nil and text:match "^.*%) ([tT]) " ~= nil
end

--- Describes the processes that own slots, and reports whether one of them is stopped.
local function holders(root, limit)
  local list, seen, stopped = {}, {}, false
  for i = 1, limit do
    local text = core.file.read(root, "slot-" .. i, holder_cap)
    local who, pid = (text or ""):match "^(.*) %(process (%d+)%)$"
    if pid and not seen[pid] then
      seen[pid] = true
      local hint = ""
      if is_stopped(pid) then
        stopped, hint = true, (", which is stopped: kill -CONT %s lets it continue"):format(pid)
      end
      list[#list + 1] = ("%s (process %s%s)"):format(core.text.printable(who, 200), pid, hint)
    end
  end
  local more = #list - most_shown
  if more > 0 then list = { table.concat(list, "; ", 1, most_shown), ("%d more"):format(more) } end
  return table.concat(list, "; "), stopped
end

--- Reports now and then which processes own the slots, and at once if one of them is stopped.
local function tell(run, key, root, limit)
  local now = core.clock.monotonic()
  local state = state_of(run)
  if now < state.look_at then return end
  state.look_at = now + told_after_ms
  local text, stopped = holders(root, limit)
  local due = stopped and "stopped_told" or "told"
  if now < state[due] then return end
  state[due] = now + told_again_ms
  run.emit(stopped and "warning" or "log", { step = key,
    text = ("waits for one of the %d slots that limits.parallel gives all runs of a "
      .. "user: %s"):format(limit, text) })
end

--- Acquires a slot in the queue of this run, then in the queue of all hosts.
---@return table held, boolean waited
local function acquire(run, key, root, limit, who)
  local line, own, waited = state_of(run).line, {}, false
  local place, since, held
  line[#line + 1] = own
  local began = core.clock.monotonic()
  local ok, err = pcall(function()
    while true do
      if line[1] == own then
        since = since or core.clock.monotonic()
        place = place or lock(root, "line", who)
        if place or core.clock.monotonic() - since > line_ms then held = take(root, limit, who) end
        if held then return end
        if core.clock.monotonic() - began > told_after_ms then tell(run, key, root, limit) end
      end
      waited = true
      core.task.sleep(poll_ms)
    end
  end)
  for i = #line, 1, -1 do
    if line[i] == own then table.remove(line, i) end
  end
  if place then core.file.unlock(place) end
  if not ok then error(err, 0) end
  return held, waited
end

--- Calls fn at once for an agent that already runs, and takes a slot as soon as one is free.
local function adopted(root, limit, who, fn)
  local held = take(root, limit, who)
  local ok, result = pcall(background.during, function()
    while not held do
      core.task.watch_sleep(poll_ms)
      held = take(root, limit, who)
    end
  end, fn)
  if held then core.file.unlock(held) end
  if not ok then error(result, 0) end
  return result
end

--- Acquires a slot, calls fn, which runs an agent, and releases the slot.
---@generic T
---@param state string?  state of an adopted attempt: running or exited
---@param fn fun(waited: boolean): T
---@return T
function M.during(job, state, fn)
  local run, key = job.run, job.key
  local limit = run.config.limits and run.config.limits.parallel
  if not limit or job.cassette or state == "exited" then return fn(false) end
  local root = folder(run)
  if not root then return fn(false) end
  local who = ("%s %s in %s (process %d)"):format(run.id, key, run.top, core.system.pid)
  if state == "running" then return adopted(root, limit, who, fn) end
  local held, waited = acquire(run, key, root, limit, who)
  local ok, result = pcall(fn, waited)
  core.file.unlock(held)
  if not ok then error(result, 0) end
  return result
end

return M
