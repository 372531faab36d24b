--- Leases a workspace to an agent call for all its attempts.
--- When the lease ends, it merges the changes of the last attempt, or discards and reports them.
--- A changed protected path fails the step, whatever the agent answered.
local runners = require "moonlet.engine.load.runners"
local startup_files = require "moonlet.engine.base.startup_files"
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

--- Caches the changes that attempts made in the user's work tree before they died with their host.
local found_of_run = per_run(function() return {} end)

local cancel_patience_ms = 10 * 1000

local function or_nil(list) return #list > 0 and core.json.array(list) or nil end

function M.has_worktree(job)
  return job.sandbox == "workspace-write" and not job.call.in_place and not job.call.writes
end

---@class moonlet.Lease     lease of a workspace for all attempts of a call
---@field place moonlet.Workspace?  workspace of the current attempt
---@field held moonlet.HeldWork?    changes that wait for a review
---@field waits moonlet.Waiting?    changes that wait for the answer to a question
---@field touched table?            error of an agent that changed protected paths
---@field private job moonlet.Execution
---@field private changed string[]?     changes of an unfinished attempt at the release
---@field private warnings string[]     warnings of the release
---@field private put_aside string?     path of unmerged work that is kept
---@field private watching moonlet.TreeWatch?  watches the work tree of an unconfined agent
local Lease = {}
Lease.__index = Lease

local held_of_run = per_run(function() return {} end)

--- Adds a step's changes to those that wait for a review, and returns the run's list of them.
---@param held table?  moonlet.HeldWork with `key` and `dir`
function M.held(run, held)
  local list = held_of_run(run)
  list[#list + 1] = held
  return list
end

function M.new(job)
  return setmetatable({ job = job, warnings = {} }, Lease)
end

--- Acquires a workspace, unless the lease still has one, and returns the attempt to run. An attempt
--- that lost its worktree gets a new one and the full prompt.
function Lease:acquire(attempt)
  if self.place then return attempt end
  local job = self.job
  if not job.confined and not job.call.in_place then
    self.watching = self.watching or beside.begin(job.run, attempt)
  end
  -- Load the user's runners, because changes of startup files that they declare need a review.
  for _, name in ipairs(runners.own_names(job.run.config)) do
    pcall(runners.get, name, job.run.config)
  end
  self.place = workspace.open(job.run, job.key, job.dir, job.call, job.sandbox, attempt,
    { confined = job.confined, from = job.asked and job.asked.from })
  if not (self.place.anew and (attempt.repairs or attempt.resumes)) then return attempt end
  return attempts.anew(attempt, core.run.redact((resolved_call.prompt(job))))
end

--- Returns the state of the files before the attempt, for the comparison of a resumed run.
function Lease:stored()
  return self.place.stored() or self.watching and self.watching:stored()
end

--- Lists files that changed beside an unconfined agent, except those that it may write.
function Lease:beside()
  return self.watching and self.watching:changed(self.place and self.place.allows) or {}
end

--- Returns an error if the changes cannot be merged: a lost worktree, or files outside `edits`.
function Lease:problem(attempt)
  local ruin = self.place.ruin()
  if ruin then
    return { kind = "failed", class = "failed",
      hint = "read stdout.log and stderr.log; moonlet resume asks the "
      .. "agent again",
      message = ("the agent's worktree %s, so nothing of it is merged"):format(ruin) }
  end
  if self.place.anew and attempt.state then
    return { kind = "failed", class = "gone", retryable = true,
      message = ("attempt %d ended well, but the worktree with its changes is missing"):format(
        attempt.number) }
  end
  return self.place.breach()
end

--- Returns the changed protected paths, or nil. Stores an error for them in the field `touched`.
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

function M.ended_text(paths)
  return ("it was ended after it had changed %d %s: %s"):format(#paths,
    #paths == 1 and "file" or "files", kept_worktrees.shown(paths))
end

--- Returns the changes of a discarded attempt. If the attempt gets no end record, warns about the
--- changes instead.
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

--- Releases the workspace without merging. If the call was cancelled, this takes only a short time.
---@param has_end boolean?  the last attempt has an end record, which lists its changes
---@param kept boolean?     keep the workspace for a resumed run
---@return string[]? changed  changes of an attempt with an end record
function Lease:release(has_end, kept)
  local place, job = self.place, self.job
  if not place then return nil end
  local key = job.key
  local looked, changed = scope.shielded("the end of " .. key, function()
    return look_at(self, has_end)
  end)
  self.place = nil
  local begun = job.run.journal.begins[key]
  local number = begun and begun.attempt or 1
  local left, text = scope.shielded("the end of " .. key, function()
    return place.abandon(kept, number)
  end,
    worktree.removal_ms)
  if not looked then tell(self, "its changes could not be inspected", changed) end
  if not left then
    tell(self, ("%s could not be removed"):format(place.tree or "its place"), text)
  end
  self.put_aside = left and text or nil
  if self.put_aside then warn(self, self.put_aside) end
  return looked and changed or nil
end

local function found_key(key, number) return ("%s/left@%d"):format(key, number) end

--- Returns what an attempt changed in the user's work tree before it died with its host.
--- The result is journaled at once, because a person may change files while the run waits.
---@param last table   begin record of the attempt
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

--- Joins `more` and the lists in `field` of the attempts since the last end, without duplicates.
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

--- Returns the files that attempts changed in the user's tree before they died with their host.
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

--- Lists the files that a step's attempts have changed, and the files in `more`, sorted by path.
---@param list table[]   attempts of the step
function M.changed(job, list, more)
  local all = found_of(job)
  table.move(more or {}, 1, #(more or {}), #all + 1, all)
  local paths = union(job, list, "changed", all)
  table.sort(paths)
  return paths
end

local function idle_writer(job, paths)
  if job.sandbox ~= "workspace-write" or job.cassette or #paths > 0 then return nil end
  local text = "the agent was asked to write, but changed no file"
  job.run.emit("warning", { step = job.key, text = text })
  return text
end

--- Warns about startup files that were written in place, because no merge holds them back.
local function tell_startup(job, tree, paths, warnings)
  local found = {}
  for _, path in ipairs(tree and {} or paths) do
    if startup_files.has(path, job.call.writes) then found[#found + 1] = path end
  end
  if #found == 0 then return false end
  local text = ("written in place, and starts programs on this machine: %s; check it before you "
    .. "open the folder")
    :format(kept_worktrees.shown(found))
  job.run.emit("warning", { step = job.key, text = text })
  warnings[#warnings + 1] = text
  return true
end

--- Merges the changes of the last attempt. Returns the changed paths and the paths held back for
--- review. The third result is true if the caller need not warn that the agent changed no file.
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
    -- Also store the hint as a warning, because a script may catch and discard the error.
    if type(paths) == "table" and paths.hint then lease.warnings = { paths.hint } end
    error(paths, 0)
  end
  if place.tree then beside.note_merged(job.run, paths) end
  warnings[#warnings + 1] = warning
  local told = tell_startup(lease.job, place.tree, paths, warnings) or warning ~= nil
  return paths, held and or_nil(held) or nil, told
end

--- Merges the changes of the last attempt, and lists those of all attempts.
---@param ok boolean     the last attempt succeeded
---@param list table[]   the attempts
---@param asks boolean   the answer is a question, so nothing is merged yet
---@return string[]? held_back  files that wait for a person's review
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
  if not told and ok and not self.touched then
    warnings[#warnings + 1] = idle_writer(job, changed)
  end
  return { error = self.touched, put_aside = self.put_aside, warnings = warnings,
    files_changed = changed }, held
end

---@param list table[]  the attempts
function Lease:after_error(list)
  return { warnings = self.warnings, files_changed = M.changed(self.job, list, self.changed) }
end

--- Reports whether the journal lists protected paths that an attempt changed.
function M.was_told(run, key, number)
  if (run.journal.ended[key] or 0) < number then return false end
  for _, entry in ipairs(journal.attempts(run, key)) do
    if entry.number == number and entry.outside then return true end
  end
  return false
end

--- Returns the protected paths that a discarded attempt changed, or nil and its other changes.
---@param seen moonlet.Baseline?
---@param told moonlet.Found?  changes that a person has seen
function M.left(run, seen, told)
  if told then return nil, or_nil(told.changed) end
  if not seen then return nil end
  local touched = baseline.touched(run, seen)
  if #touched > 0 then return or_nil(touched) end
  return nil, or_nil((baseline.changed(run, seen)))
end

return M
