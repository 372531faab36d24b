--- Provides the locks that all runs of a repository share.
--- A merge, or an agent that works in place, holds the writer lock.
--- A merge also holds the merge lock, so that no step reads a partly merged tree.
--- The worktree lock is held while git creates or removes a worktree, because git then also
--- examines the other worktrees.
local duration = require "moonlet.duration"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local files = require "moonlet.engine.base.files"

local M = {}

local short_ms, long_ms = 20, 200
local told_after = 50 -- A wait is reported only after this many tries, because merges are short.
--- Limits the wait while another process creates a worktree. Git may need ten minutes for that.
local longest_worktree_ms = 15 * 60 * 1000
--- An earlier host of the run may be shutting down, so it gets this much time to release its lock.
local predecessor_ms = 10 * 1000

local id_cap = 400
--- This variable lists the ids of the locks that the agents above this process hold, outermost
--- agent first.
local variable = "MOONLET_WRITER"

local function around() return core.system.env(variable) or "" end

local function is_around(id)
  return id ~= "" and (":" .. around() .. ":"):find(":" .. id .. ":", 1, true) ~= nil
end

--- Tries to acquire a lock. Returns a release function. If the lock is busy, returns nil, its name
--- and its holder.
local function take(root, name, id, who)
  local held, err, busy = core.file.lock(root, name, 0, id .. " " .. who)
  if held then return function() core.file.unlock(held) end end
  if not busy then error(infrastructure_error.mark(err), 0) end
  -- An agent that holds the lock may have started this process. All processes that it started share
  -- its lock, and use a second lock among themselves.
  local outer, holder = (core.file.read(root, name, id_cap) or ""):match("^(%x*) ?(.*)$")
  -- If the lock's id is this step's, an earlier host took the lock for the agent that still runs.
  if outer == id and id ~= "" then return function() end end
  if not outer or not is_around(outer) then return nil, name, holder end
  return take(root, ("writer-%s.lock"):format(outer), id, who)
end

local function shown(holder)
  return holder and holder ~= "" and ": " .. core.text.printable(holder, 200) or ""
end

local doings = { ["writer.lock"] = "another step writes the work tree",
  ["merge.lock"] = "another step merges, or begins with what the work tree holds" }

local function what_of(name) return doings[name] or "another run makes or removes a worktree" end

local function who_holds(run, key)
  return ("%s %s (process %d)"):format(run.id, key, core.system.pid)
end

--- Returns the pid of the lock's holder if it is an earlier host of this run.
local function predecessor(run, holder)
  local id, pid = (holder or ""):match "^(%S+) .* %(process (%d+)%)$"
  return id == run.id and pid ~= tostring(core.system.pid) and pid or nil
end

local function predecessor_error(run, lock, pid)
  return infrastructure_error.mark { kind = "failed", at = run.absolute(lock),
    message = ("process %s, an earlier host of %s, still holds %s: it may be stopped"):format(pid,
      run.id, lock == "worktrees.lock" and "git's worktrees" or "the work tree"),
    hint = ("let it continue (kill -CONT %s) or end it (kill -KILL %s), then resume "
      .. "the run"):format(pid, pid) }
end

local function hold(run, key, name, id, patience, clock)
  local root = files.must(core.file.root(run.home.agent_path))
  local who = who_holds(run, key)
  local tries, since = 0, core.clock.monotonic()
  while true do
    local release, lock, holder = take(root, name, id, who)
    if release then return release, root end
    tries = tries + 1
    if tries == told_after then
      run.emit("log", { step = key, text = ("waits: %s%s"):format(what_of(name), shown(holder)) })
    end
    local pid = predecessor(run, holder)
    if pid and core.clock.monotonic() - since > predecessor_ms then
      error(predecessor_error(run, lock, pid), 0)
    end
    if patience and core.clock.monotonic() - since > patience then
      error({ kind = "failed", message = ("%s for longer than %s already%s"):format(what_of(name),
        duration.text(patience), shown(holder)), at = run.absolute(lock),
        hint = "end it, then resume this run" }, 0)
    end
    if clock then clock(true) end
    core.task.sleep(tries < told_after and short_ms or long_ms)
  end
end

--- Returns a function that stops the step's clock while the step waits for the work tree, so that
--- the wait does not count towards a time limit. After a cancellation the clock continues, because
--- the clean-up must then end soon.
local function clock_of(run)
  local stopped = false
  return function(waits)
    local stop = waits and not (run.cancels or run.is_cancelled and run.is_cancelled())
    if stop == stopped then return end
    stopped = stop
    if stop then core.task.stop_clock() else core.task.start_clock() end
  end
end

local function hold_patiently(run, key, name, id, patience)
  local clock = clock_of(run)
  local ok, release, root = pcall(hold, run, key, name, id, patience, clock)
  clock(false)
  if not ok then error(release, 0) end
  return release, root
end

--- Waits for a merge in progress, then blocks merges until the returned function is called.
--- An agent that works in place may continue.
---@param patience integer?  maximum wait in ms
function M.hold_merges(run, key, patience)
  return (hold_patiently(run, key, "merge.lock", "", patience))
end

--- Locks the work tree for a merge, after waiting for other holders. Returns a release function.
---@param patience integer?  maximum wait in ms
function M.hold(run, key, patience)
  local release = hold_patiently(run, key, "writer.lock", "", patience)
  local ok, merged = pcall(M.hold_merges, run, key, patience)
  if not ok then
    release()
    error(merged, 0)
  end
  return function()
    merged()
    release()
  end
end

--- Acquires the writer lock for an agent. With the returned environment variables, a moonlet
--- process that the agent starts shares the lock.
---@return fun() release, table<string, string> env
function M.hold_for_agent(run, key)
  -- The lock's id is the same after a resume, because the agent may have outlived its first host.
  local id = core.text.sha256(run.home.agent_path .. "\0" .. run.id .. "\0" .. key):sub(1, 16)
  local release, root = hold_patiently(run, key, "writer.lock", id)
  local outer = around()
  return function()
    core.file.remove(root, ("writer-%s.lock"):format(id))
    release()
  end, { [variable] = outer == "" and id or outer .. ":" .. id }
end

--- Calls fn(…) while no other process creates or removes a worktree.
---@param fn function
function M.with_worktrees(run, key, fn, ...)
  local release = hold(run, key, "worktrees.lock", "", longest_worktree_ms)
  local ok, err = pcall(fn, ...)
  release()
  if not ok then error(err, 0) end
end

return M
