--- Leases a workspace to an agent call for all its attempts: merges the last one's changes, or discards them. A change
--- of a protected path fails the step, whatever the agent answered; the changes of an attempt that is not taken are
--- reported.
local attempts = require "moonlet.engine.agent.attempt"
local beside = require "moonlet.engine.workspace.beside"
local gate = require "moonlet.engine.effects.gate"
local merge_gate = require "moonlet.engine.context.merge_gate"
local protected_paths = require "moonlet.engine.workspace.protected_paths"
local journal = require "moonlet.engine.journal.journal"
local records = require "moonlet.engine.journal.records"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local baseline = require "moonlet.engine.workspace.baseline"
local scope = require "moonlet.engine.context.scope"
local workspace = require "moonlet.engine.workspace.workspace"
local worktree = require "moonlet.engine.workspace.worktree"
local write_lock = require "moonlet.engine.workspace.write_lock"
local resolved_call = require "moonlet.engine.agent.resolved_call"
local values = require "moonlet.engine.journal.values"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

--- Changes in place of attempts that ended with their host, by the key of their fact.
local found_of_run = per_run(function() return {} end)

local cancel_patience_ms = 10 * 1000

local function or_nil(list) return #list > 0 and core.json.array(list) or nil end

--- True if a call has a worktree of its own, which takes the place of one that an earlier attempt left.
---@param job moonlet.ResolvedCall
---@return boolean
function M.has_worktree(job)
  return job.sandbox == "workspace-write" and not job.call.in_place and not job.call.writes
end

---@class moonlet.Lease     an agent call's hold on a workspace, for all its attempts; released once
---@field place moonlet.Workspace?  held: where the present attempt works
---@field held moonlet.HeldWork?    its changes wait for a review
---@field waits moonlet.Waiting?    its changes wait for the answer to a question
---@field touched table?            the error of an agent that wrote what no agent may write
---@field private job moonlet.Execution
---@field private changed string[]?     the changes of an attempt that has no end, when it was released
---@field private warnings string[]     of its release
---@field private put_aside string?     where work that is not merged is kept
---@field private watching moonlet.TreeWatch?  the work tree, beside an agent that nothing confines
local Lease = {}
Lease.__index = Lease

local held_of_run = per_run(function() return {} end)

--- Notes the changes of a step that wait for a review, and returns those of all steps.
---@param run table
---@param held table?  moonlet.HeldWork with `key` and `dir`
---@return table[]
function M.held(run, held)
  local list = held_of_run(run)
  list[#list + 1] = held
  return list
end

--- A lease that holds nothing yet.
---@param job moonlet.Execution
---@return moonlet.Lease
function M.new(job)
  return setmetatable({ job = job, warnings = {} }, Lease)
end

--- Acquires the workspace of an attempt, unless it is that of the attempt that it repairs. Returns the attempt to do:
--- where the answer to be repaired, or the work of a conversation, is gone with its worktree, that is the whole prompt
--- once more.
---@param attempt moonlet.Attempt
---@return moonlet.Attempt
function Lease:acquire(attempt)
  if self.place then return attempt end
  local job = self.job
  if not job.confined and not job.call.in_place then
    self.watching = self.watching or beside.begin(job.run, attempt)
  end
  self.place = workspace.open(job.run, job.key, job.dir, job.call, job.sandbox, attempt,
    { confined = job.confined, from = job.asked and job.asked.from })
  if not (self.place.anew and (attempt.repairs or attempt.resumes)) then return attempt end
  return attempts.anew(attempt, core.run.redact((resolved_call.prompt(job))))
end

--- The baseline that a resumed host needs.
---@return any
function Lease:stored()
  return self.place.stored() or self.watching and self.watching:stored()
end

--- The files of the work tree that changed while no sandbox confined the agent, beside those that it may write.
---@return string[]
function Lease:beside()
  return self.watching and self.watching:changed(self.place and self.place.allows) or {}
end

--- The error of a workspace whose changes cannot be taken: the attempt ended well under a host before this one, and its
--- worktree is gone, or the agent has destroyed its worktree or changed what lies outside of `edits`.
---@param attempt moonlet.Attempt
---@return table?
function Lease:problem(attempt)
  local ruin = self.place.ruin()
  if ruin then
    return { kind = "failed", class = "failed", hint = "read stdout.log and stderr.log; resume asks it again",
      message = ("the agent's worktree %s, so nothing of it is merged"):format(ruin) }
  end
  if self.place.anew and attempt.state then
    return { kind = "failed", class = "gone", retryable = true,
      message = ("attempt %d ended well, but the worktree with what it changed is gone"):format(attempt.number) }
  end
  return self.place.breach()
end

--- Looks, after an attempt, for changes of protected paths. `touched` is their error from then on.
---@return string[]? paths
function Lease:watch()
  local paths = self.place.touched()
  if #paths == 0 then return nil end
  self.touched = protected_paths.error(paths)
  return or_nil(paths)
end

local function warn(lease, text)
  table.insert(lease.warnings, text)
  lease.job.run.emit("warning", { step = lease.job.key, text = text })
end

---@param paths string[]
---@return string
function M.ended_text(paths)
  return ("it was ended, and has changed %d %s by then: %s"):format(#paths, #paths == 1 and "file" or "files",
    kept_worktrees.shown(paths))
end

--- The changes of an attempt that is not over, or whose answer is not taken. Those of an attempt without an end are
--- reported with its step.
local function look_at(lease, has_end)
  local place = lease.place
  if lease.touched then return nil end
  if has_end then return or_nil(place.changed()) end
  local paths = place.touched()
  if #paths > 0 then
    warn(lease, protected_paths.error(paths).message)
    return nil
  end
  lease.changed = place.changed()
  if #lease.changed > 0 then warn(lease, M.ended_text(lease.changed)) end
  return nil
end

local function tell(lease, what, err)
  warn(lease, ("%s: %s"):format(what, tostring(type(err) == "table" and err.message or err)))
end

--- Releases the workspace without taking its changes. A cancelled call does that too, as far as there is time.
---@param has_end boolean?  the last attempt has an end, which is to have its changes
---@param kept boolean?     a resumed run is to take up the workspace
---@return string[]? changed  by the attempt that has an end
function Lease:release(has_end, kept)
  local place, job = self.place, self.job
  if not place then return nil end
  local key = job.key
  local looked, changed = scope.shielded("the end of " .. key, function() return look_at(self, has_end) end)
  self.place = nil
  local begun = job.run.journal.begins[key]
  local number = begun and begun.attempt or 1
  local left, text = scope.shielded("the end of " .. key, function() return place.abandon(kept, number) end,
    worktree.removal_ms)
  if not looked then tell(self, "its changes could not be inspected", changed) end
  if not left then tell(self, ("%s could not be removed"):format(place.tree or "its place"), text) end
  self.put_aside = left and text or nil
  if self.put_aside then warn(self, self.put_aside) end
  return looked and changed or nil
end

local function found_key(key, number) return ("%s/left@%d"):format(key, number) end

--- The changes in place of an attempt that ended with its host. They are looked at once: later changes, while a person
--- is waited for, are of others.
---@param run table
---@param key string
---@param last table   its begin record
---@return moonlet.Found
function M.found(run, key, last)
  local at = found_key(key, last.attempt)
  local found_by = found_of_run(run)
  found_by[at] = journal.fact(run, at, { verb = "left" }, function()
    local release = write_lock.hold(run, key, run.cancels and cancel_patience_ms or nil)
    local ok, found = pcall(baseline.found, run, baseline.kept(last.seen))
    release()
    if not ok then error(found, 0) end
    return found
  end)
  return found_by[at]
end

--- The texts in a field of the attempts after the last end of their step, each once.
local function union(job, list, field, more)
  local texts, seen = {}, {}
  local function add(some)
    for _, text in ipairs(type(some) == "table" and some or {}) do
      if not seen[text] then texts[#texts + 1] = text end
      seen[text] = true
    end
  end
  local ended = job.run.journal.ended[job.key] or 0
  for _, entry in ipairs(list) do
    if entry.number > ended or entry == list[#list] then add(entry[field]) end
  end
  add(more)
  return texts
end

--- The changes in place of those attempts that ended with their host.
local function found_of(job)
  local run, key, paths = job.run, job.key, {}
  local last = run.journal.begins[key]
  for number = (run.journal.ended[key] or 0) + 1, last and last.attempt or 0 do
    local at = found_key(key, number)
    local item = run.journal.facts[at]
    local found = found_of_run(run)[at] or item and values.get(records.stored(item, "result"))
    if found then table.move(found.changed, 1, #found.changed, #paths + 1, paths) end
  end
  return paths
end

--- The files that the attempts of a step have changed, and `more`.
---@param job moonlet.Execution
---@param list table[]   its attempts
---@param more string[]?
---@return string[]
function M.changed(job, list, more)
  local all = found_of(job)
  table.move(more or {}, 1, #(more or {}), #all + 1, all)
  local paths = union(job, list, "changed", all)
  table.sort(paths)
  return paths
end

--- Warns of an agent that was to write and changed nothing.
local function idle_writer(job, paths)
  if job.sandbox ~= "workspace-write" or job.cassette or #paths > 0 then return nil end
  local text = "the agent was to write, and changed no file"
  job.run.emit("warning", { step = job.key, text = text })
  return text
end

--- Warns of files that start programs, which an agent wrote into the user's own tree, where nothing is held back.
local function tell_startup(job, tree, paths, warnings)
  local found = {}
  for _, path in ipairs(tree and {} or paths) do
    if core.file.is_startup(path, job.call.writes) then found[#found + 1] = path end
  end
  if #found == 0 then return false end
  local text = ("written in place, and starts programs on this machine: %s; look at it before you open the folder")
    :format(kept_worktrees.shown(found))
  job.run.emit("warning", { step = job.key, text = text })
  warnings[#warnings + 1] = text
  return true
end

--- Merges the changes of the last attempt. Returns its paths, what was held back, and true if a warning says so.
local function merge(lease, warnings, asks)
  local place, job = lease.place, lease.job
  if asks and place.wait then
    local begun = job.run.journal.begins[job.key]
    lease.place, lease.waits = nil, place.wait(begun and begun.attempt or 1)
    return {}, nil, true
  end
  if job.run.holds and place.hold then
    lease.held = place.hold()
    lease.place = nil
    return lease.held.files, nil, false
  end
  if job.sandbox == "workspace-write" then merge_gate.enter(job.run, job.key) end
  lease.place = nil
  local ok, paths, warning, held = pcall(place.finish, gate.mass_deletion)
  if not ok then
    -- The place where its work is kept: the script may go on, and its error may be seen by nobody.
    if type(paths) == "table" and paths.hint then lease.warnings = { paths.hint } end
    error(paths, 0)
  end
  if place.tree then beside.note_merged(job.run, paths) end
  warnings[#warnings + 1] = warning
  local told = tell_startup(lease.job, place.tree, paths, warnings) or warning ~= nil
  return paths, held and or_nil(held) or nil, told
end

--- Ends the lease after the last attempt: merges its changes if they may be taken, and says what all attempts have
--- changed.
---@param ok boolean     the last attempt succeeded
---@param list table[]   the attempts
---@param asks boolean   its answer is a question: nothing is merged yet
---@return moonlet.LeaseEnd
---@return string[]? held_back  files that wait for a person
function Lease:finish(ok, list, asks)
  local job, warnings = self.job, union(self.job, list, "warnings")
  local paths, held, told
  if self.touched then
    self:release()
  elseif self.place then
    paths, held, told = merge(self, warnings, asks)
  end
  table.move(self.warnings, 1, #self.warnings, #warnings + 1, warnings)
  local changed = M.changed(job, list, paths)
  if not told and ok and not self.touched then warnings[#warnings + 1] = idle_writer(job, changed) end
  return { error = self.touched, put_aside = self.put_aside, warnings = warnings, files_changed = changed }, held
end

--- The end of a lease whose call raised.
---@param list table[]  the attempts
---@return moonlet.LeaseEnd
function Lease:after_error(list)
  return { warnings = self.warnings, files_changed = M.changed(self.job, list, self.changed) }
end

--- True if a person was shown what an attempt touched: its step failed of it.
---@param run table
---@param key string
---@param number integer
---@return boolean
function M.was_told(run, key, number)
  if (run.journal.ended[key] or 0) < number then return false end
  for _, entry in ipairs(journal.attempts(run, key)) do
    if entry.number == number and entry.outside then return true end
  end
  return false
end

--- The remains of an attempt that is not taken up: the protected paths that it touched, else its changes.
---@param run table
---@param seen moonlet.Baseline?
---@param told moonlet.Found?  what a person was shown of it
---@return string[]? touched, string[]? changed
function M.left(run, seen, told)
  if told then return nil, or_nil(told.changed) end
  if not seen then return nil end
  local touched = baseline.touched(run, seen)
  if #touched > 0 then return or_nil(touched) end
  return nil, or_nil((baseline.changed(run, seen)))
end

return M
