--- An agent's stay in its place: from an attempt that begins there to the one whose work is taken, or left. What it
--- touched that no agent may write fails its step, whatever it answered; what it changed is told, though it stays only
--- as a beginning for another attempt.
local gate = require "moonlet.engine.effects.gate"
local guarded = require "moonlet.engine.workspace.protected_paths"
local journal = require "moonlet.engine.journal.journal"
local journal_record = require "moonlet.engine.journal.records"
local leftovers = require "moonlet.engine.workspace.kept_worktrees"
local look = require "moonlet.engine.workspace.baseline"
local scope = require "moonlet.engine.context.scope"
local startup = require "moonlet.engine.workspace.startup"
local workspace = require "moonlet.engine.workspace.workspace"
local worktree = require "moonlet.engine.workspace.worktree"
local writer = require "moonlet.engine.workspace.write_lock"
local jobs = require "moonlet.engine.agent.resolved_call"
local values = require "moonlet.engine.journal.values"

local M = {}

local cancel_patience_ms = 10 * 1000

local function or_nil(list) return #list > 0 and core.json.array(list) or nil end

--- Whether a job has a worktree of its own, which takes the place of one that an earlier attempt left.
---@param job moonlet.Job
---@return boolean
function M.has_worktree(job)
  return job.sandbox == "workspace-write" and not job.call.in_place and not job.call.writes
end

--- Opens the place of an attempt, unless it is the one of the attempt that it repairs.
---@param job moonlet.Job
---@param attempt moonlet.Attempt
function M.enter(job, attempt)
  if job.place then return end
  job.place = workspace.open(job.run, job.step.key, job.dir, job.call, job.sandbox, attempt)
  job.cwd, job.writable = job.place.cwd, job.place.writable
  -- What was to be repaired is gone: a worktree that was cancelled in. All of it is asked for again.
  if job.place.anew and attempt.repair then
    attempt.repair, attempt.prompt = nil, core.run.redact(jobs.prompt(job, job.call.prompt))
  end
end

--- An answer tells of changes that nobody has: the attempt ended well under a host before this one, and its worktree is
--- gone, or the agent has destroyed what it worked in.
---@param job moonlet.Job
---@param attempt moonlet.Attempt
---@param result moonlet.RunnerResult
function M.check_there(job, attempt, result)
  if result.status ~= "ok" then return end
  local ruin = job.place.ruin()
  if ruin then
    result.status, result.class = "failed", "failed"
    result.error = { kind = "failed", class = "failed", hint = "read stdout.log and stderr.log; resume asks it again",
      message = ("the agent's worktree %s, so nothing of it is merged"):format(ruin) }
    return
  end
  if not (job.place.anew and attempt.state) then return end
  result.status, result.class = "failed", "gone"
  result.error = { kind = "failed", class = "gone", retryable = true,
    message = ("attempt %d ended well, but the worktree with what it changed is gone"):format(attempt.number) }
end

--- Looks, after an attempt, at what no agent may write. Where it was touched `job.touched` says so.
---@param job moonlet.Job
---@param entry table  of the attempt
function M.watch(job, entry)
  local paths = job.place.touched()
  if #paths == 0 then return end
  job.touched, entry.outside = guarded.error(paths), or_nil(paths)
end

local function warn(job, text)
  job.left_warnings = job.left_warnings or {}
  table.insert(job.left_warnings, text)
  job.run.emit("warning", { step = job.step.key, text = text })
end

---@param paths string[]
---@return string
function M.ended_text(paths)
  return ("it was ended, and has changed %d %s by then: %s"):format(#paths, #paths == 1 and "file" or "files",
    leftovers.shown(paths))
end

--- What an attempt that is not over, or whose answer is not taken, has done in its place. Of one that has no end it is
--- told with its step.
local function look_at(job, entry)
  local place = job.place
  if job.touched then return end
  if entry then
    entry.changed = or_nil(place.changed())
    return
  end
  local paths = place.touched()
  if #paths > 0 then
    warn(job, guarded.error(paths).message)
    return
  end
  job.left = place.changed()
  if #job.left > 0 then warn(job, M.ended_text(job.left)) end
end

local function tell(job, what, err)
  local text = ("%s: %s"):format(what, tostring(type(err) == "table" and err.message or err))
  warn(job, text)
end

--- Leaves the place without what was done there. One that was cancelled does that too, as far as there is time.
---@param job moonlet.Job
---@param entry table?   of its last attempt; nil where that could not be told
---@param kept boolean?  a resumed run is to take up what is there
function M.leave(job, entry, kept)
  local place = job.place
  if not place then return end
  local looked, why = scope.shielded("the end of " .. job.step.key, function() look_at(job, entry) end)
  job.place = nil
  local key = job.step.key
  local begun = job.run.journal.begins[key]
  local number = begun and begun.a or 1
  local left, text = scope.shielded("the end of " .. key, function() return place.abandon(kept, number) end,
    worktree.removal_ms)
  if not looked then tell(job, "what it left could not be looked at", why) end
  if not left then tell(job, ("%s could not be removed"):format(place.tree or "its place"), text) end
  job.put_aside = left and text or nil
  if job.put_aside then warn(job, text) end
end

local function found_key(key, number) return ("%s/left@%d"):format(key, number) end

--- What an attempt has left in place that its host's end has ended. It is looked at once: what others do there while a
--- person is waited for is none of its.
---@param run table
---@param key string
---@param last table   its begin record
---@return moonlet.Found
function M.found(run, key, last)
  local at = found_key(key, last.a)
  run.found = run.found or {}
  run.found[at] = journal.fact(run, at, { verb = "left" }, function()
    local release = writer.hold(run, key, run.cancels and cancel_patience_ms or nil)
    local ok, found = pcall(look.found, run, look.kept(last.seen))
    release()
    if not ok then error(found, 0) end
    return found
  end)
  return run.found[at]
end

--- What the attempts of a step that came after its last end have told in a field, each text once.
local function union(job, list, field, more)
  local texts, seen = {}, {}
  local function add(some)
    for _, text in ipairs(type(some) == "table" and some or {}) do
      if not seen[text] then texts[#texts + 1] = text end
      seen[text] = true
    end
  end
  local ended = job.run.journal.ended[job.step.key] or 0
  for _, entry in ipairs(list) do
    if entry.number > ended or entry == list[#list] then add(entry[field]) end
  end
  add(more)
  return texts
end

--- What those of them have left in place that ended with their host.
local function found_of(job)
  local run, key, paths = job.run, job.step.key, {}
  local last = run.journal.begins[key]
  for number = (run.journal.ended[key] or 0) + 1, last and last.a or 0 do
    local at = found_key(key, number)
    local item = run.journal.facts[at]
    local found = run.found and run.found[at] or item and values.get(journal_record.stored(item, "v"))
    if found then table.move(found.changed, 1, #found.changed, #paths + 1, paths) end
  end
  return paths
end

--- The files that the attempts of a step have changed, and `more`.
---@param job moonlet.Job
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

--- What a person should know of an agent that was to write.
local function idle_writer(job, result)
  if job.sandbox ~= "workspace-write" or job.cassette or result.status ~= "ok" or #result.files_changed > 0 then
    return nil
  end
  local text = "the agent was to write, and changed no file"
  job.run.emit("warning", { step = job.step.key, text = text })
  return text
end

--- Where an agent writes the user's own files nothing is held back: what starts programs there is told.
local function tell_startup(job, tree, paths, warnings)
  local found = not tree and startup.of(paths, job.call.writes) or {}
  if #found == 0 then return false end
  local text = ("written in place, and starts programs on this machine: %s; look at it before you open the folder")
    :format(leftovers.shown(found))
  job.run.emit("warning", { step = job.step.key, text = text })
  warnings[#warnings + 1] = text
  return true
end

--- Takes what was done in the place, if it is to be taken, and tells what all attempts have changed.
---@param job moonlet.Job
---@param result moonlet.RunnerResult
---@param list table[]  the attempts
---@return moonlet.RunnerResult
function M.finish(job, result, list)
  local place, warnings = job.place, union(job, list, "warnings")
  local paths, told
  if job.touched then
    M.leave(job)
    result.status, result.class, result.error = "failed", job.touched.class, job.touched
  elseif place then
    job.place = nil
    local ok, some, warning, held = pcall(place.finish, gate.mass_deletion)
    if not ok then
      -- Where its work is kept: the script may go on, and nobody may be told of its error.
      if type(some) == "table" and some.hint then job.left_warnings = { some.hint } end
      error(some, 0)
    end
    paths, told, warnings[#warnings + 1] = some, warning ~= nil, warning
    list[#list].held_back = held and or_nil(held) or nil
    told = tell_startup(job, place.tree, paths, warnings) or told
  end
  table.move(job.left_warnings or {}, 1, #(job.left_warnings or {}), #warnings + 1, warnings)
  if job.put_aside and result.status ~= "ok" and type(result.error) == "table" then
    result.error.hint = (result.error.hint and result.error.hint .. "; " or "") .. job.put_aside
  end
  result.warnings, result.files_changed = warnings, M.changed(job, list, paths)
  if not told then warnings[#warnings + 1] = idle_writer(job, result) end
  return result
end

--- Whether a person was told what an attempt touched: its step failed of it.
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

--- What an attempt has left that is not taken up: what it touched that no agent may write, else what it changed.
---@param run table
---@param seen moonlet.Baseline?
---@param told moonlet.Found?  what a person was shown of it
---@return string[]? touched, string[]? changed
function M.left(run, seen, told)
  if told then return nil, or_nil(told.changed) end
  if not seen then return nil end
  local touched = look.touched(run, seen)
  if #touched > 0 then return or_nil(touched) end
  return nil, or_nil((look.changed(run, seen)))
end

return M
