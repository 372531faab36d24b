--- ctx:agent: one bounded piece of work for one agent, with an artifact directory of its own. The
--- agent sees a prompt, never a conversation; what it answers is checked before anyone uses it.
local files = require "moonlet.engine.base.files"
local state_of = require "moonlet.engine.context.context"
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local answer = require "moonlet.engine.agent.output"
local asking = require "moonlet.engine.agent.questions"
local artifacts = require "moonlet.engine.agent.sidecar"
local attempts = require "moonlet.engine.agent.attempt"
local budget = require "moonlet.engine.budget.budget"
local journal = require "moonlet.engine.journal.journal"
local retry = require "moonlet.engine.agent.retry"
local routing = require "moonlet.engine.agent.routing"
local guarded = require "moonlet.engine.workspace.protected_paths"
local host_failure = require "moonlet.engine.base.infrastructure_error"
local identity = require "moonlet.engine.journal.input_hash"
local inherited = require "moonlet.engine.journal.adoption"
local jobs = require "moonlet.engine.agent.resolved_call"
local look = require "moonlet.engine.workspace.baseline"
local slots = require "moonlet.engine.agent.slots"
local spending = require "moonlet.engine.agent.metering"
local stay = require "moonlet.engine.agent.workspace_lease"
local usage = require "moonlet.engine.runner.usage"
local worktree = require "moonlet.engine.workspace.worktree"

local M = {}

---@class moonlet.AgentCall   what a script asks for; of these fields `prompt` alone must be there
---@field prompt string
---@field runner string?      instead of the run's; "route" goes by task type and risk
---@field model string?       instead of the run's, and of the one that a route names
---@field task_type string?   of what kind this work is, instead of what is said of the run
---@field risk "low"|"medium"|"high"|nil   instead of the run's; low where nothing is said
---@field reason string?      why it is asked although a rule refuses it; else the run's
---@field turns integer?      how often its model may answer, where its program or its events can tell
---@field continues string?   the session of an earlier result that this call goes on with, where its runner keeps any
---@field asks boolean?       it may put questions to a person (engine/agent/questions.lua)
---@field cut "fail"|"allow"|nil  what becomes of an answer that is too long to keep whole; "fail" is the default

local fields = {
  name = "string", prompt = "string!", runner = "string", model = "string", role = "string",
  schema = "table", rules = "callable", inputs = "list", sandbox = "string", writes = "list",
  in_place = "boolean", confine = "string", network = "boolean", web_search = "boolean", env = "list",
  argv = "list", events = "string", cwd = "string", timeout = "duration", idle = "duration",
  retry = "integer", turns = "integer", budget = "table", task_type = "string", risk = "string", reason = "string",
  asks = "boolean", cut = "string", continues = "string",
}
local prompt_cap = 64 << 20

local function run_rules(call)
  if not call.rules then
    error(record.invalid(("the agent call '%s' has no rules"):format(call.name or "agent"),
      "name an agent with --runner codex or --runner 'command:PROGRAM ARG…'"), 0)
  end
  local data = call.rules()
  local text = type(data) == "string" and data or core.json.encode(data, 2)
  if type(data) == "string" and not call.schema then data = nil end
  if call.schema then
    local problems = core.json.validate(call.schema, data)
    if problems then
      error({ kind = "failed", message = "the rules returned something else than promised: " .. problems }, 0)
    end
  end
  return { status = "ok", text = text, data = data }
end

--- An attempt that was under way in place when its host died: its keeper ended it, unless it had ended
--- by itself. A person is shown what it changed; that is given where it was ended.
---@return string state, moonlet.Found?
local function settle_in_place(run, step, last, state)
  if state == "running" then
    local exit = inherited.take(step.key, inherited.id(step.key, last.a))
    state = exit.why == "cancelled" and "lost" or "exited"
  end
  if state ~= "lost" then return state end
  local found = stay.found(run, step.key, last)
  require("moonlet.engine.effects.gate").interrupted_writer(run, step, last.a, found.text)
  return state, found
end

--- An attempt that was under way when its host died, and whose input has changed since: it is ended, and
--- what it used stays on the bill of its step. One that wrote in place is shown to a person first.
local function abandon(job, earlier)
  local run, key = job.run, job.step.key
  local id = inherited.id(key, earlier.a)
  local state = inherited.state(key, id)
  if state == "none" then return end
  local started = core.clock.monotonic()
  local seen = look.kept(earlier.seen)
  local in_place = earlier.seen ~= nil and (not seen or seen.in_place)
  -- Who was shown what it did in place has decided about it.
  local told
  if in_place then state, told = settle_in_place(run, job.step, earlier, state) end
  local exit = state == "running" and inherited.stop(key, id) or inherited.take(key, id)
  local result = attempts.left(job, exit)
  local prompt = files.read_left(run, job.dir .. "/prompt.md", prompt_cap) or ""
  spending.price(job, result)
  local used = spending.used(job, prompt, result)
  local text = ("its input was changed while attempt %d was under way"):format(earlier.a)
  local touched, changed = stay.left(run, seen, told)
  local carried = worktree.give_up(run, key, job.dir, earlier.tree, stay.has_worktree(job))
  if carried then changed = core.json.array(carried) end
  journal.attempt(run, key, { number = earlier.a, status = "abandoned", why = exit.why, exit_code = exit.code,
    class = "abandoned", duration_ms = core.clock.monotonic() - started, usage = result.usage, used = used,
    outside = touched, changed = changed, error = text, taken_over = true })
  run.emit("warning", { step = key, text = ("%s: %s, and about %d tokens of it are lost"):format(text,
    state == "running" and "it is ended" or "it has ended", used.tokens) })
  if touched then
    journal.spent(run, key)
    error(guarded.error(touched), 0)
  end
end

--- The attempt after one that has come to nothing. A repair that a provider would not do yet is asked for again:
--- what it is about was paid for.
local function next_attempt(job, last, hash, first)
  first.number, first.tries = last.a + 1, 1
  local prompt = last.repairs and last.h == hash and files.read_left(job.run, job.dir .. "/prompt.md", prompt_cap)
  if prompt then
    first.repair, first.prompt, first.seen, first.tree = true, prompt, last.seen, last.tree
    first.told = stay.was_told(job.run, job.step.key, last.a)
  end
  return first
end

--- Where to begin: with the first attempt, or with the one that was under way when a host died.
local function first_attempt(job, last, hash)
  local run, step, call = job.run, job.step, job.call
  local first = { number = 1, prompt = core.run.redact(jobs.prompt(job, call.prompt)) }
  if not last then
    -- What its keeper knows was begun: a journal without that is not whole.
    if run.journal.resumed and inherited.state(step.key, inherited.id(step.key, 1)) ~= "none" then
      error(host_failure.mark { kind = "failed",
        message = ("the journal was cut off: keeper.log has a start of '%s', which it does not know"):format(step.key),
        at = run.absolute("runs/" .. run.id .. "/steps.jsonl"),
        hint = "bring the file back from a copy, or start a new run; to go on would pay for it again" }, 0)
    end
    return first
  end
  if last.spent then return next_attempt(job, last, hash, first) end
  local state = inherited.state(step.key, inherited.id(step.key, last.a))
  if call.in_place then state = settle_in_place(run, step, last, state) end
  local lost = state == "exited" and attempts.lost(job, last.a)
  if lost then state = "lost" end
  local attempt = { number = last.a, repair = last.repair, state = state, seen = last.seen, tree = last.tree }
  attempt.told = state == "lost" and call.in_place or stay.was_told(run, step.key, last.a)
  -- A repair round was asked with a prompt that its predecessor's answer is part of.
  attempt.prompt = last.repair and files.read_left(run, job.dir .. "/prompt.md", prompt_cap) or first.prompt
  if state == "lost" then
    run.emit("warning", { step = step.key, text = lost and ("attempt %d, once more: %s"):format(last.a, lost)
      or ("attempt %d was %s: once more"):format(last.a, run.sealed and run.sealed.ended and "ended with the run"
        or "lost") })
    attempt.number, attempt.state = last.a + 1, nil
    -- What was found in place is on record; what came to it since is nobody's of these.
    if call.in_place then attempt.seen = nil end
  elseif state == "none" then
    inherited.check_unknown(run)
    attempt.state = nil
    if not last.repair then attempt.seen = nil end
  end
  return attempt
end

--- Puts the attempt on record before it starts, unless it is there already.
local function record_attempt(job, hash, attempt, need)
  if attempt.state then return end
  -- That of a repair round is nowhere else.
  job.run.write_artifact(job.dir .. "/prompt.md", attempt.prompt, not attempt.repair)
  journal.begin(job.run, job.step.key, attempt.number, hash, { repair = attempt.repair, seen = job.place.stored(),
    need = need, runner = job.runner.name, model = job.model, tree = job.place.tree,
    root = job.dir == job.run.sidecar or nil })
end

--- Puts on record what an attempt used that was ended with its scope or its run, and gives it.
local function book_unended(job, attempt)
  local result = { status = "failed", text = "", usage = attempts.seen_usage(job) }
  if not result.usage then return nil end
  spending.price(job, result)
  local used = spending.used(job, attempt.prompt, result)
  journal.attempt(job.run, job.step.key, { number = attempt.number, status = "failed", class = "cancelled",
    why = "cancelled", usage = result.usage, used = used, error = "it was ended before it was done" })
  return used
end

--- One attempt, from the reserve of the budget to what it came to.
local function run_attempt(job, hash, attempt, own_budget)
  local need = spending.reserve(job, attempt.prompt)
  -- One that is under way was allowed already.
  if not attempt.state then retry.check(job) end
  spending.retake(job, attempt.number, hash, own_budget)
  return budget.with(own_budget, need, function(note)
    stay.enter(job, attempt)
    local result = slots.during(job, attempt.state, function(waited)
      -- Whoever had the work tree or the slot before may have heard that the account is closed.
      if not attempt.state and (job.call.in_place or waited) then retry.check(job, true) end
      record_attempt(job, hash, attempt, need)
      local ran, outcome = pcall(attempts.run, job, attempt)
      if not ran then
        note(book_unended(job, attempt))
        error(outcome, 0)
      end
      return outcome
    end)
    stay.check_there(job, attempt, result)
    spending.price(job, result)
    result.used = spending.used(job, attempt.prompt, result)
    return result, result.used
  end, attempt.state ~= nil)
end

local function entry_of(attempt, result, started)
  return { number = attempt.number, status = result.status, why = result.exit.why, exit_code = result.exit.code,
    class = result.class, duration_ms = core.clock.monotonic() - started, usage = result.usage,
    used = result.used, error = result.error and result.error.message or core.json.null,
    model = result.model and core.text.printable(result.model, 200), cut = result.cut or nil,
    warnings = result.warnings and result.warnings[1] and core.json.array(result.warnings) or nil,
    taken_over = attempt.state ~= nil or nil }
end

--- The attempt that follows an answer that is not what was promised; nil when it was asked again already.
local function repair_of(job, attempt, result, problems, entry)
  entry.status, entry.error, entry.class = "invalid-output", problems, "invalid-output"
  if attempt.repair then
    result.status, result.class = "failed", "invalid-output"
    result.error = { kind = "failed", class = "invalid-output",
      message = "the answer is not what was asked for: " .. problems, hint = "read output.md" }
    return nil
  end
  job.run.emit("warning", { step = job.step.key, text = "the answer is not valid; asking once more" })
  return { number = attempt.number + 1, repair = true,
    prompt = core.run.redact(answer.repair_prompt(jobs.prompt(job, job.call.prompt), result.text, problems)) }
end

--- How long to wait for the attempt that follows a failed one; nil when there is none to follow.
local function wait_of(job, result, tries)
  local next_try = retry.after(job, result, tries)
  -- An agent that touched what it may not is not asked again.
  if job.touched then return nil end
  if next_try.error then
    result.error, result.parks = next_try.error, true
    job.run.quota_error = job.run.quota_error or next_try.error
  end
  return next_try.wait_ms
end

--- The attempt that follows a failed one, when its time has come.
local function retry_of(job, attempt, result, wait_ms)
  job.run.emit("warning", { step = job.step.key, text = ("%s; asking again in %s"):format(result.error.message,
    duration.text(wait_ms)), retry_in_ms = wait_ms })
  core.task.sleep(wait_ms)
  return { number = attempt.number + 1, repair = attempt.repair, prompt = attempt.prompt }
end

--- Whether an attempt had failed by itself in a run that failed, before anybody heard of it: a host that tries again
--- what had failed tries this again too.
local function failed_unheard(job, attempt)
  return attempt.state == "exited" and job.run.journal.retry and not job.touched
end

local function tell_unheard(job, attempt, result)
  local text = ("attempt %d had failed before the run was resumed (%s): once more"):format(attempt.number,
    result.error.message)
  job.run.emit("warning", { step = job.step.key, text = text })
end

--- What follows an attempt: another one, or none, and how many there were like it. A repair round finds what the
--- attempt left that it is about; a retry begins anew.
local function after(job, attempt, result, entry, tries)
  stay.watch(job, entry)
  if result.status ~= "ok" and failed_unheard(job, attempt) then
    tell_unheard(job, attempt, result)
    if not attempt.repair then stay.leave(job, entry) end
    return { number = attempt.number + 1, repair = attempt.repair, prompt = attempt.prompt }, 1
  elseif result.status ~= "ok" then
    local wait_ms = wait_of(job, result, tries)
    if not (wait_ms and attempt.repair) then stay.leave(job, entry, result.parks and attempt.repair) end
    return wait_ms and retry_of(job, attempt, result, wait_ms), tries + 1
  end
  retry.succeeded(job)
  if not job.call.schema then return nil end
  local data, problems = answer.check(job.call.schema, result.text, job.runner.normalise)
  result.data = attempts.redacted(data)
  if data ~= nil then return nil end
  local following = repair_of(job, attempt, result, problems, entry)
  if job.touched then following = nil end
  if not following then stay.leave(job, entry) end
  if not following and failed_unheard(job, attempt) then
    tell_unheard(job, attempt, result)
    following = { number = attempt.number + 1, prompt = core.run.redact(jobs.prompt(job, job.call.prompt)) }
  end
  return following, 1
end

--- All attempts of a call: retries where that may help, and one round that is told what is wrong with an
--- answer.
local function all_attempts(job, last, hash, own_budget)
  local attempt = first_attempt(job, last, hash)
  local list, tries = journal.attempts(job.run, job.step.key), attempt.tries or attempt.number
  -- One that ended just before its host did is told again below.
  if attempt.state and list[#list] and list[#list].number == attempt.number then list[#list] = nil end
  while true do
    local started = core.clock.monotonic()
    local result = run_attempt(job, hash, attempt, own_budget)
    local entry = entry_of(attempt, result, started)
    list[#list + 1] = entry
    result.attempts = list
    local repair = attempt.repair
    attempt, tries = after(job, attempt, result, entry, tries)
    journal.attempt(job.run, job.step.key, entry)
    if result.parks then journal.spent(job.run, job.step.key, repair) end
    if not attempt then return stay.finish(job, result, list) end
  end
end

--- Whether a resumed run takes up what the last attempt has left: it came to its end by itself, though what follows
--- from that is not on record, or it waits for a repair.
local function is_taken_up(job)
  local key = job.step.key
  local last = job.run.journal.begins[key]
  if not last then return false end
  if last.spent then return last.repairs or false end
  if job.ended then return job.ended ~= "cancelled" end
  -- This host did not hear of its end, or did not wait for it.
  local state = inherited.state(key, inherited.id(key, last.a), true)
  return state == "exited" or state == "running"
end

local function run_attempts(job, last, hash, own_budget)
  local ok, result = pcall(all_attempts, job, last, hash, own_budget)
  retry.ended(job)
  if ok then return result end
  local asked, kept = pcall(is_taken_up, job)
  -- What nobody knows of is not thrown away.
  stay.leave(job, nil, not asked or kept)
  error(result, 0)
end

--- An attempt of an agent that was under way where rules are asked by now.
local function give_up_earlier(run, key, dir)
  local last = run.journal and run.journal.begins[key]
  local id = last and not last.spent and inherited.id(key, last.a)
  local state = id and inherited.state(key, id) or "none"
  if state == "none" then return end
  if state == "running" then inherited.stop(key, id) end
  local changed = worktree.give_up(run, key, dir, last.tree)
  local text = ("rules are asked now: attempt %d of an agent is given up"):format(last.a)
  run.emit("warning", { step = key, text = text })
  journal.attempt(run, key, { number = last.a, status = "abandoned", class = "abandoned", error = text,
    changed = changed and core.json.array(changed) or nil })
  journal.spent(run, key)
end

--- The rules are a function of the preset: they cost nothing and are asked each time.
local function run_rules_step(run, key, dir, call, routed)
  local step = run.begin_step(key, "agent", "rules")
  core.event.emit("step.started", key, { kind = "agent", runner = "rules" })
  give_up_earlier(run, key, dir)
  run.open_directory(dir)
  run.write_artifact(dir .. "/prompt.md", call.prompt, true)
  local ok, result = pcall(run_rules, call)
  local job = { run = run, step = step, dir = dir, call = call, routed = routed, runner = { name = "rules" } }
  if not ok then
    run.end_step(step, "failed", { error = result })
    artifacts.write_agent(job, { status = "failed", text = "", error = result })
    error(result, 0)
  end
  run.write_artifact(dir .. "/output.md", core.text.clean(result.text), true)
  run.end_step(step, "ok", {})
  artifacts.write_agent(job, result)
  return { text = result.text, data = result.data, files_changed = core.json.array {}, dir = run.absolute(dir) }
end

--- What the journal has to know of a call: the same is the same step. Of its task type, risk and reason it is
--- the runner and the model that they lead to: where those stay the same, the answer does.
local function input_of(job)
  local run, call = job.run, job.call
  return { verb = "agent", prompt = call.prompt, runner = job.runner.name, argv = job.argv,
    model = job.model, role = call.role or run.options.agent_role, schema = call.schema, cwd = call.cwd,
    env = call.env, in_place = call.in_place, sandbox = job.sandbox ~= "read-only" and job.sandbox or nil,
    writes = call.writes, inputs = call.inputs, confine = call.confine, network = call.network,
    web_search = call.web_search, events = call.events, continues = call.continues }
end

--- The job of a step that was begun when its route led elsewhere: what was paid for there is not paid for again.
local function as_begun(job, key)
  local run = job.run
  local begun = run.journal and run.journal.begins[key]
  local routed = begun and routing.as_begun(job.routed, begun, job.model, run.config)
  if not routed then return job end
  local ended = run.journal.ends[key]
  if begun.spent and not (ended and ended.s == "ok") then return job end
  local ok, other = pcall(jobs.of, run, job.call, routed)
  if not ok then return job end
  other.dir = job.dir
  local hash = identity.of(run.journal, input_of(other), ended, begun)
  return hash == begun.h and other or job
end

--- Says who was chosen for a call that goes elsewhere than the others of its run.
local function tell_route(job, key)
  if job.routed == job.run.routed then return end
  local text = routing.told(job.routed, job.model)
  if text then job.run.emit("log", { step = key, text = text }) end
end

local function do_agent(job, last, hash, own_budget)
  tell_route(job, job.step.key)
  job.run.open_directory(job.dir)
  local ok, result = pcall(run_attempts, job, last, hash, own_budget)
  if not ok then
    local list = journal.attempts(job.run, job.step.key)
    result = { status = "failed", text = "", error = result, attempts = list, warnings = job.left_warnings,
      files_changed = stay.changed(job, list, job.left) }
  end
  job.step.attempts, job.step.files_changed = result.attempts, result.files_changed
  job.step.model = usage.model_of(result.attempts) or job.model
  if result.text ~= "" or result.status == "ok" then
    job.run.write_artifact(job.dir .. "/output.md", core.text.clean(result.text), true)
  end
  job.step.duration_ms = core.clock.monotonic() - job.step.started
  -- What failed was paid for too.
  job.step.usage = usage.of_attempts(result.attempts)
  artifacts.write_agent(job, result)
  if result.status ~= "ok" then error(result.error, 0) end
  if not result.text:find("%S") and #(result.files_changed or {}) == 0 then
    job.run.emit("warning", { step = job.step.key, text = "the agent said nothing, and changed nothing" })
  end
  return { text = result.text, data = result.data, attempts = core.json.array(result.attempts),
    usage = result.usage, files_changed = core.json.array(result.files_changed or {}), session = result.session }
end

--- The journal has the answer; its readable copy may have been lost with a power cut, or be another one by now.
local function restore(job, value)
  local run, path, text = job.run, job.dir .. "/output.md", core.text.clean(value.text)
  local told = core.run.redact(text)
  local kept, err = run.read_artifact(path, math.max(#text, #told) + 1)
  if kept == text or kept == told or not kept and err.kind ~= "invalid" then return end
  if kept then
    run.emit("warning", { step = job.step.key,
      text = "its output.md was not the answer that the journal has: it is written again" })
  end
  run.open_directory(job.dir, true)
  run.write_artifact(path, text, true)
end

local function run_agent_step(job, key, own_budget)
  local run = job.run
  job.step = { key = key }
  local options = { paid = true, settle = function(earlier) abandon(job, earlier) end }
  local value, step = run.step(key, "agent", job.runner.name, input_of(job), options, function(last, hash, step)
    job.step, step.dir, step.model = step, job.dir, job.model
    return do_agent(job, last, hash, own_budget)
  end)
  if step.cached then restore(job, value) end
  step.usage, step.files_changed = usage.of_attempts(value.attempts), value.files_changed
  step.attempts, step.model = value.attempts, usage.model_of(value.attempts) or job.model
  run.end_step(step, "ok", {})
  value.dir = run.absolute(job.dir)
  -- A merge comes to its end whoever cancels it; what it held off is heard once it is on record.
  if not step.cached then core.task.check() end
  return value
end

--- A prepared prompt may have been read, and edited: it is the one that was agreed on.
local function with_agreed_prompt(run, key, dir, call)
  if not run.prepared then return call end
  local agreed = journal.fact(run, key .. "/agreed", { verb = "agreed" }, function()
    return files.read_left(run, dir .. "/prompt.md", prompt_cap) or core.json.null
  end)
  if agreed == core.json.null then return call end
  return setmetatable({ prompt = agreed }, { __index = call })
end

--- The same call in an earlier clean-up of its body, and its key. Nil where there is none.
local function paid_before(job, key, call)
  local run = job.run
  local function dir_of(twin) return run.agent_directory(false, twin) end
  local found = journal.paid_before(run, key, function(twin)
    local asked = with_agreed_prompt(run, twin, dir_of(twin), call)
    return input_of(as_begun(setmetatable({ call = asked }, { __index = job }), twin))
  end)
  if found == key then return nil end
  job.dir = dir_of(found)
  job.call = with_agreed_prompt(run, found, job.dir, call)
  return as_begun(job, found), found
end

--- ctx:agent{ name, prompt, … } -> { text, data, usage, attempts, files_changed, dir }; raises when it
--- failed.
---@param ctx moonlet.Ctx
---@param call moonlet.AgentCall
---@return table
function M.agent(ctx, call)
  local state = state_of.of(ctx)
  local run = state.run
  record.check(call, fields, "ctx:agent")
  if call.asks then return asking.agent(ctx, call, M.agent) end
  if call.budget then budget.check(call.budget, "ctx:agent: budget", budget.call_fields) end
  if call.cut and call.cut ~= "fail" and call.cut ~= "allow" then
    error(record.invalid(("ctx:agent: cut '%s' is not understood"):format(core.text.printable(call.cut, 40)),
      "write fail or allow"), 0)
  end
  answer.check_schema(call.schema)
  local job = jobs.of(run, call)
  if job.runner.name ~= "rules" then spending.check(job, state.budget) end
  local key = state_of.key(state, call.name or "agent")
  local paid, paid_key
  if job.runner.name ~= "rules" and not run.dry then paid, paid_key = paid_before(job, key, call) end
  if job.absent and not paid and not (run.journal and run.journal.begins[key]) then error(job.absent, 0) end
  core.task.check()
  if paid then return run_agent_step(paid, paid_key, state.budget) end
  job.dir = run.agent_directory(state.path == "" and key, key)
  if run.dry then
    tell_route(job, key)
    run.open_directory(job.dir)
    run.write_artifact(job.dir .. "/prompt.md", call.prompt)
    spending.count_worst_case(run.worst, job)
    error({ kind = "prepared", message = "the prompt is written; no agent is started" }, 0)
  end
  job.call = with_agreed_prompt(run, key, job.dir, call)
  if job.runner.name == "rules" then return run_rules_step(run, key, job.dir, job.call, job.routed) end
  job = as_begun(job, key)
  require("moonlet.engine.effects.gate").before_agent(ctx, job, jobs.prompt(job, job.call.prompt))
  return run_agent_step(job, key, state.budget)
end

return M
