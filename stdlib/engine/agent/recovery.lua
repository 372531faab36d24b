--- Continues agent calls that an earlier host began.
--- Chooses the attempt with which a resumed run starts, and ends attempts that are not needed now.
local attempt = require "moonlet.engine.agent.attempt"
local files = require "moonlet.engine.base.files"
local protected_paths = require "moonlet.engine.workspace.protected_paths"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local adoption = require "moonlet.engine.journal.adoption"
local resolved_call = require "moonlet.engine.agent.resolved_call"
local journal = require "moonlet.engine.journal.journal"
local baseline = require "moonlet.engine.workspace.baseline"
local metering = require "moonlet.engine.agent.metering"
local workspace_lease = require "moonlet.engine.agent.workspace_lease"
local worktree = require "moonlet.engine.workspace.worktree"

local M = {}

M.prompt_cap = 64 << 20

--- Waits for an attempt that was changing the user's files directly (`in_place`) when its host died,
--- and returns its state. If the attempt was lost, first asks a person whether to repeat it, and
--- also returns its changes.
---@return string state, moonlet.Found?
local function settle_in_place(run, step, last, state)
  if state == "running" then
    local exit = adoption.take(step.key, adoption.id(step.key, last.attempt))
    state = exit.why == "cancelled" and "lost" or "exited"
  end
  if state ~= "lost" then return state end
  local found = workspace_lease.found(run, step.key, last)
  require("moonlet.engine.effects.gate").interrupted_writer(run, step, last.attempt, found.text)
  return state, found
end

--- Ends an attempt of an earlier host, because its input has changed. Its cost still counts. If it
--- was lost while it was changing the user's files directly, a person must approve a repetition.
---@param earlier table  begin record of the attempt
function M.abandon(job, earlier)
  local run, key = job.run, job.key
  local id = adoption.id(key, earlier.attempt)
  local state = adoption.state(key, id)
  if state == "none" then return end
  local started = core.clock.monotonic()
  local seen = baseline.kept(earlier.seen)
  local in_place = earlier.seen ~= nil and (not seen or seen.in_place)
  -- Set if a person has reviewed the changes of the attempt.
  local told
  if in_place then state, told = settle_in_place(run, job.step, earlier, state) end
  local exit = state == "running" and adoption.stop(key, id) or adoption.take(key, id)
  local text, usage = attempt.left(job, exit)
  local prompt = files.read_left(run, job.dir .. "/prompt.md", M.prompt_cap) or ""
  usage = metering.priced(job, usage)
  local used = metering.used(job, prompt, nil, usage, text)
  local why = ("its input was changed while attempt %d was under way"):format(earlier.attempt)
  local touched, changed = workspace_lease.left(run, seen, told)
  local carried = worktree.give_up(run, key, job.dir, earlier.tree,
    workspace_lease.has_worktree(job))
  if carried then changed = core.json.array(carried) end
  journal.attempt(run, key, { number = earlier.attempt, status = "abandoned", why = exit.why,
    exit_code = exit.code, class = "abandoned", duration_ms = core.clock.monotonic() - started,
    usage = usage, used = used, outside = touched, changed = changed, error = why,
    taken_over = true })
  run.emit("warning",
    { step = key, text = ("%s: %s, and about %d tokens of it are lost"):format(why,
    state == "running" and "it is ended" or "it has ended", used.tokens) })
  if touched then
    journal.spent(run, key)
    error(protected_paths.error(touched), 0)
  end
end

--- Abandons an attempt of an earlier host, because the run was resumed with the runner mock.
function M.give_up(run, key, dir)
  local last = run.journal and run.journal.begins[key]
  local id = last and not last.spent and adoption.id(key, last.attempt)
  local state = id and adoption.state(key, id) or "none"
  if state == "none" then return end
  if state == "running" then adoption.stop(key, id) end
  local changed = worktree.give_up(run, key, dir, last.tree)
  local text = ("the answers are made up now: attempt %d of an agent is given up"):format(
    last.attempt)
  run.emit("warning", { step = key, text = text })
  journal.attempt(run, key, { number = last.attempt, status = "abandoned", class = "abandoned",
    error = text, changed = changed and core.json.array(changed) or nil })
  journal.spent(run, key)
end

--- Raises an error if keeper.log has an attempt that the truncated journal lacks.
local function check_journal(job)
  local run, key = job.run, job.key
  if not run.journal.resumed or adoption.state(key, adoption.id(key, 1)) == "none" then return end
  error(infrastructure_error.mark { kind = "failed",
    message = ("the journal was cut off: keeper.log has a start of '%s', which the "
      .. "journal lacks"):format(key),
    at = run.absolute("runs/" .. run.id .. "/steps.jsonl"),
    hint = "restore the file from a backup, or start a new run; a resume would pay for it again" },
    0)
end

--- Returns the number of the attempt whose conversation can be continued. Returns nil after a
--- repair round, or if the runner or the input has changed.
local function conversation(job, last, hash)
  if not job.runner.resumes or last.repair or last.repairs then return nil end
  if last.runner ~= job.runner.name or last.input_hash ~= hash then return nil end
  return last.resumes or last.attempt
end

--- Plans the attempt after a failed one. A repair round is repeated, not the answer before it.
local function next_attempt(job, last, hash, prompt)
  local number = last.attempt + 1
  local repair_prompt = last.repairs and last.input_hash == hash
    and files.read_left(job.run, job.dir .. "/prompt.md", M.prompt_cap)
  if not repair_prompt then
    return attempt.new { kind = "retry", number = number, prompt = prompt, tries = 1,
      tree = last.tree, resumes = conversation(job, last, hash) }
  end
  return attempt.new { kind = "repair", number = number, prompt = repair_prompt, tries = 1,
    seen = last.seen, tree = last.tree,
    told = workspace_lease.was_told(job.run, job.key, last.attempt) }
end

--- Predicts the attempt with which a resumed run would start, but starts nothing. The caller passes
--- a copy of the run, because this function may write a question to the user into the journal.
---@param last table?  begin record of the last attempt
---@param hash string  hash of the step's current input
---@return moonlet.Attempt
---@return string? why  set if an attempt with another input is abandoned first
function M.foresee(job, last, hash)
  local why
  if last and not last.spent and last.input_hash ~= hash then
    local state = adoption.state(job.key, adoption.id(job.key, last.attempt))
    local seen = baseline.kept(last.seen)
    local in_place = last.seen ~= nil and (not seen or seen.in_place)
    if state ~= "none" and in_place then settle_in_place(job.run, job.step, last, state) end
    if state ~= "none" then
      why = ("attempt %d, which had another input, is given up"):format(last.attempt)
    end
    last = setmetatable({ spent = true }, { __index = last })
  end
  return M.first_attempt(job, last, hash), why
end

--- Returns the attempt with which a step starts. If an earlier host began an attempt whose end
--- is not recorded, returns that attempt, adopted or repeated. Otherwise returns the next attempt.
---@param last table?  begin record of the last attempt
---@param hash string  hash of the step's input
function M.first_attempt(job, last, hash)
  local run, key, in_place = job.run, job.key, job.call.in_place
  local prompt = core.run.redact((resolved_call.prompt(job)))
  if not last then
    check_journal(job)
    return attempt.new { kind = "first", number = 1, prompt = prompt }
  end
  if last.spent then return next_attempt(job, last, hash, prompt) end
  local state = adoption.state(key, adoption.id(key, last.attempt))
  if in_place then state = settle_in_place(run, job.step, last, state) end
  local lost = state == "exited" and attempt.lost(job, last.attempt)
  if lost then state = "lost" end
  local told = state == "lost" and in_place or workspace_lease.was_told(run, key, last.attempt)
  -- A repair prompt contains the answer to repair, so it cannot be rebuilt. Read it from its file.
  if last.repair then
    prompt = files.read_left(run, job.dir .. "/prompt.md", M.prompt_cap) or prompt
  end
  local again = { kind = last.repair and "repair" or "retry", number = last.attempt,
    prompt = prompt, tree = last.tree, seen = last.seen, told = told }
  if state == "lost" then
    local how = run.sealed and run.sealed.ended and "ended with the run" or "lost"
    again.number, again.resumes = last.attempt + 1, conversation(job, last, hash)
    run.emit("warning",
      { step = key, text = lost and ("attempt %d is repeated: %s"):format(last.attempt, lost)
      or ("attempt %d was %s: it %s"):format(last.attempt, how,
        again.resumes and "continues" or "is repeated") })
    -- The changes of the lost attempt are already recorded, so the new attempt gets a new baseline.
    if in_place then again.seen = nil end
    return attempt.new(again)
  elseif state == "none" then
    adoption.check_unknown(run)
    if not last.repair then again.kind, again.seen = "first", nil end
    return attempt.new(again)
  end
  again.kind, again.state, again.repairs, again.resumes = "adopted", state, last.repair,
    last.resumes
  return attempt.new(again)
end

return M
