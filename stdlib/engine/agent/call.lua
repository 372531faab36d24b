--- Implements ctx:agent, which gives one bounded task to one agent.
--- The agent receives a prompt, never a conversation, and its answer is checked before use.
local files = require "moonlet.engine.base.files"
local context = require "moonlet.engine.context.context"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local output = require "moonlet.engine.agent.output"
local questions = require "moonlet.engine.agent.questions"
local sidecar = require "moonlet.engine.agent.sidecar"
local attempts = require "moonlet.engine.agent.attempt"
local budget = require "moonlet.engine.budget.budget"
local closed = require "moonlet.engine.context.closed"
local journal = require "moonlet.engine.journal.journal"
local made_answer = require "moonlet.engine.agent.made_answer"
local retry = require "moonlet.engine.agent.retry"
local check = require "moonlet.schema.check"
local routing = require "moonlet.engine.agent.routing"
local execution = require "moonlet.engine.agent.execution"
local fan_out = require "moonlet.engine.context.fan_out"
local limits = require "moonlet.engine.agent.limits"
local input_hash = require "moonlet.engine.journal.input_hash"
local adoption = require "moonlet.engine.journal.adoption"
local instructions = require "moonlet.engine.agent.instructions"
local agent_fields = require "moonlet.engine.agent.fields"
local runners = require "moonlet.engine.load.runners"
local resolved_call = require "moonlet.engine.agent.resolved_call"
local workspace_lease = require "moonlet.engine.agent.workspace_lease"
local merge_gate = require "moonlet.engine.context.merge_gate"
local outcomes = require "moonlet.engine.agent.outcome"
local prompt_cuts = require "moonlet.engine.agent.prompt_cuts"
local recovery = require "moonlet.engine.agent.recovery"
local waiting = require "moonlet.engine.workspace.waiting"
local slots = require "moonlet.engine.agent.slots"
local metering = require "moonlet.engine.agent.metering"
local usage = require "moonlet.engine.runner.usage"

local M = {}

--- Journals an attempt before it starts. An adopted attempt is already in the journal.
local function record_attempt(job, hash, attempt, need)
  if attempt.state then return end
  local place = job.lease.place
  -- A repair prompt cannot be rebuilt from the journal, so it must reach the disk now.
  job.run.write_artifact(job.dir .. "/prompt.md", attempt.prompt, not attempt.repairs)
  journal.begin(job.run, job.key, attempt.number, hash,
    { repair = attempt.repairs or nil, seen = job.lease:stored(),
    need = need, runner = job.runner.name, model = job.model, tree = place.tree,
    resumes = attempt.resumes, root = job.dir == job.run.sidecar or nil })
end

--- Records the usage of an attempt that was cancelled, and returns it.
local function book_unended(job, attempt)
  local seen = metering.priced(job, attempts.seen_usage(job))
  if not seen then return nil end
  local used = metering.used(job, attempt.prompt, nil, seen, "")
  journal.attempt(job.run, job.key,
    { number = attempt.number, status = "failed", class = "cancelled",
    why = "cancelled", usage = seen, used = used, error = "it was cancelled before it finished" })
  return used
end

--- Reserves the budget of an attempt, runs the attempt and returns its outcome.
--- Also returns the attempt that ran, which is a new one if its workspace had to be replaced.
---@return moonlet.AttemptOutcome, moonlet.Attempt
local function run_attempt(job, hash, attempt, own_budget)
  -- Do not check an adopted attempt again: the circuit breaker let it pass when it started.
  if not attempt.state then retry.check(job) end
  local need = metering.retake(job, attempt, hash, own_budget)
  local outcome = budget.with(own_budget, need, function(note, grow)
    attempt = job.lease:acquire(attempt)
    job.watch = limits.new(job, attempt.prompt, own_budget, grow)
    local evidence = slots.during(job, attempt.state, function(waited)
      -- While this job waited, another job may have learnt that the provider refuses the account.
      if not attempt.state and (job.call.in_place or waited) then retry.check(job, true) end
      record_attempt(job, hash, attempt, need)
      local ran, found = pcall(attempts.run, job, attempt)
      if not ran then
        note(book_unended(job, attempt))
        error(found, 0)
      end
      return found
    end)
    local outcome = outcomes.of_attempt(job, attempt, evidence, function()
      return job.lease:problem(attempt)
    end)
    attempts.write_exit(job, outcome.exit, outcome)
    return outcome, outcome.used
  end, attempt.state ~= nil)
  job.run.emit("usage", { step = job.key, attempt = attempt.number, usage = outcome.usage,
    used = outcome.used })
  return outcome, attempt
end

--- Returns the journal entry of an attempt. `outside` lists the protected paths that it changed.
local function entry_of(attempt, outcome, started, outside)
  return { number = attempt.number, status = outcome.status, why = outcome.exit.why,
    exit_code = outcome.exit.code, class = outcome.class,
    duration_ms = core.clock.monotonic() - started, usage = outcome.usage,
    used = outcome.used,
    error = outcome.problems or outcome.error and outcome.error.message or core.json.null,
    outside = outside, model = outcome.model and core.text.printable(outcome.model, 200),
    cut = outcome.cut, warnings = outcome.warnings and outcome.warnings[1]
      and core.json.array(outcome.warnings) or nil,
    taken_over = attempt.state ~= nil or nil }
end

---@class moonlet.NextStep    decision after an attempt
---@field attempt moonlet.Attempt?  the next attempt; nil ends the call
---@field wait_ms integer?     delay before the next attempt
---@field text string?         warning that announces the next attempt
---@field keep boolean?        true if the next attempt keeps the workspace
---@field error table?         error of the call, instead of the attempt's error
---@field parks boolean?       the run parks until the provider can be asked again

--- Reports whether an attempt may be retried because it failed while no host was running.
local function failed_unheard(job, attempt)
  return attempt.state == "exited" and job.run.journal.retry and not job.lease.touched
end

local function again(attempt, outcome, repairs, prompt)
  return { tries = 1, keep = repairs,
    attempt = attempts.new { kind = repairs and "repair" or "retry", number = attempt.number + 1,
      prompt = prompt },
    text = ("attempt %d had failed before the run was resumed (%s): it is repeated"):format(
      attempt.number,
      outcome.error.message) }
end

--- Handles an answer that violates its schema: asks the agent to repair it once, then fails.
local function after_invalid(job, attempt, outcome)
  local prompt = core.run.redact((resolved_call.prompt(job)))
  if not attempt.repairs and not job.lease.touched then
    local repair = core.run.redact(output.repair_prompt(prompt, outcome.text, outcome.problems))
    return { tries = 1, keep = true, text = "the answer is not valid: asking again",
      attempt = attempts.new { kind = "repair", number = attempt.number + 1, prompt = repair } }
  end
  return attempt.repairs and failed_unheard(job, attempt)
    and again(attempt, outcome, false, prompt) or {}
end

--- Decides what follows a failed attempt. An agent that changed protected paths is not asked again.
local function after_failure(job, attempt, outcome, tries)
  if failed_unheard(job, attempt) then
    return again(attempt, outcome, attempt.repairs, attempt.prompt)
  end
  local decision = retry.after(job, outcome, tries)
  if decision.parks and not job.lease.touched then job.run.note_quota(decision.error) end
  if job.lease.touched then return {} end
  if not decision.wait_ms then return decision end
  -- Resume the conversation if the runner can, because its earlier answers are already paid for.
  local resumes = job.runner.resumes and not attempt.repairs
    and (attempt.resumes or attempt.number) or nil
  return { tries = tries + 1, keep = attempt.repairs or resumes ~= nil, wait_ms = decision.wait_ms,
    text = ("%s; asking again in %s"):format(outcome.error.message,
      duration.text(decision.wait_ms)),
    attempt = attempts.new { kind = attempt.repairs and "repair" or "retry",
      number = attempt.number + 1, prompt = attempt.prompt, resumes = resumes } }
end

--- Decides what follows an attempt. A retry gets a new workspace, unless its runner resumes the
--- conversation; a repair keeps the workspace.
---@return moonlet.NextStep
local function after(job, attempt, outcome, tries)
  if outcome.status == "failed" then return after_failure(job, attempt, outcome, tries) end
  retry.succeeded(job)
  return outcome.problems and after_invalid(job, attempt, outcome) or {}
end

local function announce(job, following, outcome)
  local run = job.run
  run.emit("warning", { step = job.key, text = following.text, retry_in_ms = following.wait_ms })
  run.emit("step.retried", { step = job.key, attempt = following.attempt.number,
    kind = following.attempt.kind, reason = outcome.problems or outcome.error.message,
    wait_ms = following.wait_ms })
  if following.wait_ms then core.task.sleep(following.wait_ms) end
end

--- Raises an error if a run that was resumed only to merge reviewed changes would call an agent.
local function check_review(job)
  if not job.run.reviewing then return end
  error({ kind = "failed",
    message = ("a review may not ask an agent, but '%s' would be asked again: the preset or the "
    .. "config has changed since"):format(job.key),
    hint = "start a new run with moonlet run replay" }, 0)
end

local function all_attempts(job, last, hash, own_budget)
  check_review(job)
  local attempt = recovery.first_attempt(job, last, hash)
  local list, tries = journal.attempts(job.run, job.key), attempt.tries or attempt.number
  -- If the adopted attempt ended just before its host died, the list already has an entry for it.
  -- Remove that entry, because the attempt is added again below.
  if attempt.state and list[#list] and list[#list].number == attempt.number then
    list[#list] = nil
  end
  while true do
    local started = core.clock.monotonic()
    local outcome, made = run_attempt(job, hash, attempt, own_budget)
    attempt = made
    local entry = entry_of(attempt, outcome, started, job.lease:watch())
    list[#list + 1] = entry
    local following = after(job, attempt, outcome, tries)
    if outcome.status ~= "ok" and not (following.attempt and following.keep) then
      entry.changed = job.lease:release(true,
        following.parks and (attempt.repairs or job.runner.resumes))
    end
    if following.attempt then announce(job, following, outcome) end
    journal.attempt(job.run, job.key, entry)
    if following.parks then journal.spent(job.run, job.key, attempt.repairs or nil) end
    if not following.attempt then
      local beside = job.lease:beside()
      job.step.beside = beside[1] and beside or nil
      local asks = job.asked ~= nil and core.text.question(outcome.text) ~= nil
      local lease_end, held_back = job.lease:finish(outcome.status == "ok", list, asks)
      entry.held_back = held_back
      return outcomes.of_call(outcome, list, lease_end, following.error)
    end
    attempt, tries = following.attempt, following.tries
  end
end

--- Reports whether a resumed run would adopt the step's last attempt.
local function is_taken_up(job)
  local key = job.key
  local last = job.run.journal.begins[key]
  if not last then return false end
  if last.spent then return last.repairs or job.runner.resumes or false end
  if job.ended then return job.ended ~= "cancelled" end
  -- The process may have ended while no host was running, so a resumed run must examine it.
  local state = adoption.state(key, adoption.id(key, last.attempt), true)
  return state == "exited" or state == "running"
end

local function run_attempts(job, last, hash, own_budget)
  local ok, result = pcall(all_attempts, job, last, hash, own_budget)
  retry.ended(job)
  if ok then return result end
  local asked, kept = pcall(is_taken_up, job)
  -- Keep the worktree for a resumed run, unless the call lost to another branch of `ctx:any`.
  job.lease:release(false, (not asked or kept) and not fan_out.has_lost())
  local list = journal.attempts(job.run, job.key)
  return outcomes.raised(result, list, job.lease:after_error(list))
end

--- Returns the call with the route (runner and model) that its step started with. A new route would
--- change the input hash, so that the agent would be asked, and paid for, a second time.
local function as_begun(resolved, key)
  local run = resolved.run
  local begun = run.journal and run.journal.begins[key]
  local routed = begun and routing.as_begun(resolved.routed, begun, resolved.model, run.config)
  if not routed then return resolved end
  local ended = run.journal.ends[key]
  if begun.spent and not (ended and ended.status == "ok") then return resolved end
  local ok, other = pcall(resolved_call.of, run, resolved.call, routed)
  if not ok then return resolved end
  local hash = input_hash.of(run.journal, agent_fields.input_of(other), ended, begun)
  return hash == begun.input_hash and other or resolved
end

local function tell_route(resolved, key)
  if resolved.routed == resolved.run.routed then return end
  local text = routing.told(resolved.routed, resolved.model)
  if text then resolved.run.emit("log", { step = key, text = text }) end
end

local function write_answer(job, outcome)
  if outcome.text == "" and outcome.status ~= "ok" then return end
  local path, text = job.dir .. "/output.md", core.text.clean(outcome.text)
  job.run.write_artifact(path, text, true)
  job.run.emit("artifact", { step = job.key, path = path, bytes = #text })
end

--- Returns the value that the journal stores as the result of the step.
local function do_agent(job, last, hash, own_budget)
  tell_route(job, job.key)
  job.run.open_directory(job.dir)
  sidecar.write_manifest(job, job.key, job.dir)
  local outcome, step = run_attempts(job, last, hash, own_budget), job.step
  step.attempts, step.files_changed = outcome.attempts, outcome.files_changed
  step.model = usage.model_of(outcome.attempts) or job.model
  write_answer(job, outcome)
  step.duration_ms = core.clock.monotonic() - step.started
  -- The usage includes failed attempts, because they cost money, too.
  step.usage = usage.of_attempts(outcome.attempts)
  sidecar.write_agent(job, outcome)
  if outcome.status ~= "ok" then error(outcome.error, 0) end
  if not outcome.text:find("%S") and #outcome.files_changed == 0 then
    job.run.emit("warning",
      { step = job.key, text = "the agent said nothing, and changed nothing" })
  end
  return { text = outcome.text, data = outcome.data, attempts = core.json.array(outcome.attempts),
    usage = outcome.usage, files_changed = core.json.array(outcome.files_changed),
    session = outcome.session, held = job.lease.held, waits = job.lease.waits,
    beside = step.beside and core.json.array(step.beside) }
end

--- Rewrites output.md if it differs from the answer in the journal, or was lost in a power cut.
local function restore(job, value)
  local run, path, text = job.run, job.dir .. "/output.md", core.text.clean(value.text)
  local told = core.run.redact(text)
  local kept, err = run.read_artifact(path, math.max(#text, #told) + 1)
  if kept == text or kept == told or not kept and err.kind ~= "invalid" then return end
  if kept then
    run.emit("warning", { step = job.key,
      text = "its output.md differs from the answer in the journal: it is written again" })
  end
  run.open_directory(job.dir, true)
  run.write_artifact(path, text, true)
end

--- Returns the reason why an adopted attempt is repeated, or nil if it is not repeated.
local function why_repeated(job, attempt)
  if attempt.state ~= "exited" or not job.run.journal.retry then return nil end
  local exit = adoption.take(job.key, adoption.id(job.key, attempt.number))
  if exit.why ~= "exited" or exit.code == 0 then return nil end
  return ("attempt %d ended with exit code %d, and is repeated"):format(attempt.number, exit.code)
end

--- Predicts whether a resumed run would adopt an attempt of the step, and how much budget it needs.
local function foresee(job, last, hash, own_budget)
  check_review(job)
  local attempt, why = recovery.foresee(job, last, hash)
  if not attempt.state and job.absent then error(job.absent, 0) end
  local need = metering.retake(job, attempt, hash, own_budget)
  local repeated = why_repeated(job, attempt)
  return { job = job, attempt = attempt, why = why or repeated,
    is_adopted = attempt.state ~= nil and not repeated, budget = own_budget, need = need,
    most = metering.most(job, attempt.prompt), is_watched = metering.is_watched(job) }
end

--- Records what the report of spending needs (engine/task/spending.lua).
local function note_origin(job, step)
  step.writes = job.sandbox == "workspace-write" or nil
  step.inherits = job.call.model == nil or nil
end

--- Returns the answer of a step. If the agent asks a question, also returns the worktree.
local function run_agent_step(resolved, key, dir, own_budget, asked)
  local run = resolved.run
  local job = execution.new(resolved, key, dir, asked)
  job.lease = workspace_lease.new(job)
  local options = { paid = true, settle = function(earlier) recovery.abandon(job, earlier) end,
    foresee = function(last, hash) return foresee(job, last, hash, own_budget) end }
  local input = agent_fields.input_of(job)
  local value, step = run.step(key, "agent", job.runner.name, input, options,
    function(last, hash, step)
    job.step, step.dir, step.model = step, dir, job.model
    note_origin(job, step)
    return do_agent(job, last, hash, own_budget)
  end)
  if step.cached then
    restore(job, value)
    if job.sandbox == "workspace-write" and not value.waits then merge_gate.merged(run, key) end
  end
  if value.held then
    workspace_lease.held(run, { key = key, dir = dir, work = value.held })
    value.held = nil
  end
  if value.beside then
    run.note_beside(key, value.beside)
    step.beside, value.beside = value.beside, nil
  end
  note_origin(job, step)
  step.unconfined = not job.confined or nil
  step.usage, step.files_changed = usage.of_attempts(value.attempts), value.files_changed
  step.held_back = sidecar.last_of(value.attempts).held_back
  step.attempts, step.model = value.attempts, usage.model_of(value.attempts) or job.model
  run.end_step(step, "ok", {})
  local waits = value.waits
  value.waits, value.dir = nil, run.absolute(dir)
  if waits and waits.is_empty and not run.forecast then
    waiting.give_up(run, waits)
    waits = nil
  end
  -- A cancellation is delivered only after the merge is finished and journaled.
  if not step.cached then core.task.check() end
  return value, waits
end

--- Returns the call with the prompt that a dry run wrote, if a person has edited and approved it.
local function with_agreed_prompt(resolved, key, dir)
  local run = resolved.run
  if not run.prepared then return resolved end
  local agreed = journal.fact(run, key .. "/agreed", { verb = "agreed" }, function()
    return files.read_left(run, dir .. "/prompt.md", recovery.prompt_cap) or core.json.null
  end)
  if agreed == core.json.null then return resolved end
  if agreed == resolved_call.shown_prompt(instructions.add(resolved)) then return resolved end
  return resolved_call.with_prompt(resolved, agreed)
end

--- Returns the call with the approved prompt, the route that it began with, and the instruction files.
local function for_step(resolved, key, dir)
  resolved = with_agreed_prompt(resolved, key, dir)
  if resolved.runner.made then return resolved end
  return instructions.add(as_begun(resolved, key))
end

--- Finds a call with the same input that an earlier execution of this clean-up handler made. Its
--- result is used again, because a new call would cost money. Returns the key and the call, or nil.
local function paid_before(resolved, key)
  local run = resolved.run
  if resolved.runner.made or run.dry then return end
  local function in_step(twin) return for_step(resolved, twin, run.claim_directory(false, twin)) end
  local found = journal.paid_before(run, key, function(twin)
    return agent_fields.input_of(in_step(twin))
  end)
  if found ~= key then return found, in_step(found) end
end

--- Writes the prompt in a dry run, and ends the step by an error instead of starting an agent.
local function prepare(resolved, key, dir)
  local run = resolved.run
  tell_route(resolved, key)
  run.open_directory(dir)
  sidecar.write_manifest(resolved, key, dir)
  run.write_artifact(dir .. "/prompt.md", resolved_call.shown_prompt(resolved))
  table.insert(run.worst.prompts, (dir .. "/prompt.md"):sub(#run.sidecar + 2))
  local prompt = resolved_call.prompt(resolved)
  local most = metering.count_worst_case(run.worst, resolved, prompt)
  table.insert(run.worst.steps, { key = key, runner = resolved.runner.name, model = resolved.model,
    most = most, need = metering.reserve(resolved, prompt) })
  error({ kind = "prepared", message = "the prompt is written; no agent is started" }, 0)
end

local answer_fields = { "text", "data", "usage", "attempts", "files_changed", "dir", "session" }

local function closed_answer(call, value, waits)
  closed.data(value.data, call.schema)
  return closed.record(value, "an answer", answer_fields), waits
end

--- Rejects a prompt that is written for an orchestrator. An agent of ctx:agent is always a worker.
local function check_mode(prompt)
  if not prompt:sub(1, 200):upper():find "^%s*CONTEXT:%s*ORCHESTRATOR%f[%W]" then return end
  record.refuse("ctx:agent: the prompt begins with CONTEXT: ORCHESTRATOR, and an agent is a worker",
    "the preset orchestrates: give each worker its task, as in m.prompt.worker { task = … }")
end

local function check_fields(call)
  if call.budget then budget.check(call.budget, "ctx:agent: budget", budget.call_fields) end
  if call.cut and call.cut ~= "fail" and call.cut ~= "allow" then
    record.refuse(("ctx:agent: cut '%s' is not understood"):format(
      core.text.printable(call.cut, 40)),
      "write fail or allow")
  end
  if call.loop and call.loop ~= "warn" and call.loop ~= "end" then
    record.refuse(("ctx:agent: loop '%s' is not understood"):format(
      core.text.printable(call.loop, 40)),
      "write warn or end")
  end
  if call.schema then check.check(call.schema, "ctx:agent: schema") end
end

local function resolve(state, call, key)
  local run = state.run
  local change = run.options.step
  if change and change.key == key then call = resolved_call.changed(call, change) end
  local resolved = resolved_call.of(run, call)
  if resolved.runner.none and not run.dry then
    local text = ("the agent call '%s' cannot be answered: no runner was chosen"):format(call.name
      or "agent")
    error(runners.no_runner(text, run.config), 0)
  end
  if not resolved.runner.made then metering.check(resolved, state.budget) end
  return resolved
end

local function step_of(ctx, call, asked, key)
  local state = context.of(ctx)
  local run = state.run
  local general = resolve(state, call, key)
  local paid_key, paid = paid_before(general, key)
  local needs_none = run.dry or run.journal and run.journal.begins[key]
  if general.absent and not paid and not needs_none then error(general.absent, 0) end
  core.task.check()
  if paid then
    local paid_dir = run.claim_directory(false, paid_key)
    return closed_answer(call, run_agent_step(paid, paid_key, paid_dir, state.budget, asked))
  end
  local dir = run.claim_directory(state.path == "" and key, key)
  local resolved = for_step(general, key, dir)
  local prompt, told = resolved_call.prompt(resolved)
  prompt_cuts.note(run, key, told)
  if run.dry and not run.checking then prepare(resolved, key, dir) end
  if resolved.runner.made then
    return closed_answer(call, made_answer.run(state, resolved, key, dir))
  end
  require("moonlet.engine.effects.gate").before_agent(ctx, resolved, prompt)
  return closed_answer(call, run_agent_step(resolved, key, dir, state.budget, asked))
end

--- If the agent asks a question, also returns its worktree, which is kept until the reply.
---@param asked moonlet.Asked?  set if the agent may ask
---@return table answer, moonlet.Waiting? waits
local function one_step(ctx, call, asked)
  local state = context.of(ctx)
  check_fields(call)
  local key = context.key(state, call.name or "agent")
  if not state.run.forecast then return step_of(ctx, call, asked, key) end
  return state.run.forecast:watch(key, function() return step_of(ctx, call, asked, key) end)
end

--- Implements ctx:agent{ name, prompt, … }. Raises an error if the call failed.
--- Returns { text, data, usage, attempts, files_changed, dir }.
function M.agent(ctx, call)
  context.of(ctx)
  record.check(call, agent_fields.types, "ctx:agent")
  check_mode(call.prompt)
  if call.asks then return questions.agent(ctx, call, one_step) end
  return (one_step(ctx, call))
end

return M
