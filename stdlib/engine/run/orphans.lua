--- Settles orphaned steps, whose attempts are in flight although the script has not reached them.
local protected_paths = require "moonlet.engine.workspace.protected_paths"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local adoption = require "moonlet.engine.journal.adoption"
local journal = require "moonlet.engine.journal.journal"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local baseline = require "moonlet.engine.workspace.baseline"
local remote_steps = require "moonlet.engine.remote.steps"
local unreplayed_steps = require "moonlet.engine.run.unreplayed_steps"
local workspace_lease = require "moonlet.engine.agent.workspace_lease"
local worktree = require "moonlet.engine.workspace.worktree"

local M = {}

--- Warns on standard error, too, because a person who cancels a run sees no events.
local function tell(run, key, text)
  run.emit("warning", { step = key, text = text })
  core.system.print(2,
    ("moonlet: %s\n"):format(core.text.printable(("%s: %s"):format(key, text), 600)))
end

local function end_merged(run, key, last)
  return worktree.end_merged(run, key, run.directory_of(key), last.tree)
end

local function give_up(run, key, last)
  return worktree.give_up(run, key, run.directory_of(key), last.tree)
end

local function find_left(run, key, last, state)
  local seen = baseline.kept(last.seen)
  local found = state == "lost" and (not seen or seen.in_place)
    and workspace_lease.found(run, key, last)
  if found and #found.touched > 0 then return found.touched end
  local touched, changed = workspace_lease.left(run, seen, found or nil)
  return touched, changed
end

local function tell_left(run, key, last, state)
  local touched, changed, text
  if last.tree then
    changed, text = end_merged(run, key, last), "its work was merged already"
  elseif last.seen ~= nil then
    touched, changed = find_left(run, key, last, state)
  end
  if not touched and not (changed and changed[1]) then return end
  text = touched and protected_paths.error(touched).message
    or text and ("%s: %s"):format(text, kept_worktrees.shown(changed))
    or workspace_lease.ended_text(changed)
  tell(run, key, text)
  changed = changed and core.json.array(changed)
  journal.attempt(run, key, { number = last.attempt, status = "failed", class = "cancelled",
    why = "cancelled", error = text, outside = touched,
    changed = changed, taken_over = true })
  if run.step_keys[key] then run.step_keys[key].files_changed = changed end
end

local function tell_cancelled(run)
  for key, last in pairs(run.journal.begins) do
    local is_open = not last.spent and not last.once and run.journal.ended[key] ~= last.attempt
    local state = is_open and adoption.state(key, adoption.id(key, last.attempt)) or "none"
    if state ~= "none" then
      local ok, err = pcall(tell_left, run, key, last, state)
      if not ok then
        tell(run, key, "its changes could not be inspected: "
          .. tostring(type(err) == "table" and err.message or err))
      end
    end
  end
end

local function has_host_failed(run)
  for _, step in ipairs(run.steps) do
    if infrastructure_error.is(step.error) then return true end
  end
  return false
end

--- Stops orphaned steps if the script has finished. If the run parks, waits for them, because a
--- resume may need them. Always waits for a command that must run at most once.
---@param ok boolean  true if the script finished
local function settle(run, ok, err)
  if not run.journal.resumed then return end
  if run.cancels then
    tell_cancelled(run)
    return remote_steps.end_left(run)
  end
  local kind = not ok and type(err) == "table" and rawget(err, "kind")
  local cut_off = has_host_failed(run)
  for key, last in pairs(run.journal.begins) do
    local id, step = adoption.id(key, last.attempt), run.step_keys[key]
    local state = not last.spent and (not step or infrastructure_error.is(step.error))
      and adoption.state(key, id)
    if state == "running" and (cut_off or last.once or kind == "parked" or kind == "quota") then
      run.emit("log",
        { step = key, text = "it still runs since an earlier host started it: waiting for it" })
      adoption.take(key, id)
    elseif ok and state == "running" then
      adoption.stop(key, id)
    end
    if ok and not cut_off and state and state ~= "none"
        and not unreplayed_steps.is_told(run, key) then
      local text = ("the script does not contain this step any more: its attempt %d is "
        .. "given up"):format(last.attempt)
      run.emit("warning", { step = key, text = text })
      local changed = last.tree and give_up(run, key, last)
      journal.attempt(run, key, { number = last.attempt, status = "abandoned", class = "abandoned",
        error = text, changed = changed and core.json.array(changed) or nil })
      journal.spent(run, key)
    end
  end
end

--- Reports whether an infrastructure error ended the run while processes of an earlier host run.
local function is_cut_off(run, ok, err)
  return not ok and infrastructure_error.is(err) and not run.cancels and core.run.still_runs()
end

--- Settles orphaned steps and returns the outcome of the run. If an infrastructure error cuts the
--- run off, its processes stay alive, as after a kill of the host.
---@return boolean ok, any err, boolean cut_off
function M.settled(run, ok, err)
  if is_cut_off(run, ok, err) then return ok, err, true end
  local settled, why = pcall(settle, run, ok, err)
  if not settled and (ok or infrastructure_error.is(why)) then ok, err = false, why end
  return ok, err, is_cut_off(run, ok, err)
end

--- Waits for an earlier host's clean-up steps, so that they do not run in parallel with the script.
---@param keys string[]   keys of the clean-ups
function M.settle_cleanups(run, keys)
  for _, around in ipairs(keys) do
    for _, key in ipairs(run.journal.cleanups[around] or {}) do
      local last = run.journal.begins[key]
      local id = not last.spent and adoption.id(key, last.attempt)
      if id and adoption.state(key, id) == "running" then
        run.emit("log",
          { step = key, text = "it still runs from a clean-up before: waiting for it" })
        adoption.take(key, id)
      end
    end
  end
end

return M
