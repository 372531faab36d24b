--- Builds the outcomes of agent calls.
--- An attempt's outcome combines process exit, parsed answer, workspace check and schema check.
--- A call's outcome combines the outcome of the last attempt with the end of the workspace lease.
local metering = require "moonlet.engine.agent.metering"
local citations = require "moonlet.engine.agent.citations"
local context = require "moonlet.engine.context.context"
local cuts = require "moonlet.engine.agent.cuts"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local output = require "moonlet.engine.agent.output"
local outcome = require "moonlet.engine.runner.outcome"
local usage = require "moonlet.engine.runner.usage"

local M = {}

---@class moonlet.AttemptEvidence   everything known about an attempt that has ended
---@field exit table                 exit record of the attempt's process
---@field answer moonlet.RunnerResult  parsed output of the agent
---@field so_far (fun(ended: boolean): moonlet.Usage?)?  computes usage from an unfinished stream
---@field passed table?              error of the limit that was exceeded
---@field seen string[]?             output of the agent's tools; nil if the stream hides it
---@field unread boolean?            true if more events were printed than could be read in time
---@field lost table?                error if the disk did not store the answer or lost it
---@field refused table?             error of a provider's refusal that a cassette replays
---@field normalise (fun(data: any, schema: table): any)?  removes what a strict schema added

---@class moonlet.AttemptOutcome   outcome of one attempt
---@field status "ok"|"failed"|"invalid-output"
---@field class string?     class of a failure (engine/runner/outcome.lua)
---@field error table?
---@field text string
---@field cut integer?      original size of an answer that was cut
---@field data any          the JSON value of the answer, if the call has a schema
---@field problems string?  schema violations of the answer
---@field usage moonlet.Usage?  usage with its cost
---@field used table<string, number>  amounts that are subtracted from the budgets
---@field model string?
---@field session string?   id of the session, if the runner keeps sessions
---@field denied string[]?
---@field warnings string[]?
---@field exit table

---@class moonlet.CallOutcome: moonlet.AttemptOutcome   outcome of a step
---@field status "ok"|"failed"
---@field usage moonlet.Usage?  total of all attempts
---@field session string?       id of the last attempt's session, which a later call can continue
---@field warnings string[]
---@field files_changed string[]
---@field attempts table[]      attempts in the form of the journal
---@field exit table?

local function copy_of(err)
  local copy = setmetatable({}, getmetatable(err))
  for key, value in next, err do copy[key] = value end
  return infrastructure_error.is(err) and infrastructure_error.mark(copy) or copy
end

--- Returns the status, class and error of an attempt. The first problem that is found decides.
local function judge(job, evidence, cut)
  local answer, exit = evidence.answer, evidence.exit
  if evidence.refused then return "failed", evidence.refused.class, evidence.refused end
  if evidence.lost then return "failed", "lost", infrastructure_error.mark(evidence.lost) end
  if evidence.unread and (answer.status == "ok" or exit.why == "exited") then
    return "failed", "timeout", outcome.error("timeout",
      ("%s printed more events than could be read in its time"):format(job.runner.title
        or job.runner.name),
      { hint = "give it more time with timeout, or have it print less" })
  end
  if evidence.passed then return "failed", evidence.passed.class, evidence.passed end
  if answer.status ~= "ok" then return answer.status, answer.class, answer.error end
  if cut.error then return "failed", "invalid-output", cut.error end
  return "ok"
end

--- Marks an error as a problem of this machine if the machine could not start an existing program.
local function mark_not_started(job, evidence, err)
  local exit = evidence.exit
  if exit.why == "not_started" and not job.cassette and exit.error.kind == "failed" and err then
    infrastructure_error.mark(err)
  end
end

--- Lists the classes of failures after which the end of an agent's output may be missing.
local breaks_off = { killed = true, crashed = true, interrupted = true }

--- Returns the usage that the agent reported at its end. If a failed attempt has no such report,
--- returns the usage seen in its events.
function M.reported(evidence, status)
  local answer, why = evidence.answer, evidence.exit.why
  if status == "ok" or evidence.lost or not evidence.so_far then return answer.usage end
  local was_ended = why ~= "exited" or breaks_off[answer.class or ""] or false
  if answer.usage and not was_ended then return answer.usage end
  return evidence.so_far(was_ended)
end

--- Adds the step's key and the command that shows its log to an error.
local function located(job, err)
  if not err then return nil end
  local copy = copy_of(err)
  copy.step = context.plain(job.key)
  local log = context.log_of(job.run, job.key)
  copy.hint = copy.hint and copy.hint:gsub(outcome.read_log, function() return log end)
  return copy
end

---@param check_workspace fun(): table?  returns an error if the changes cannot be merged
function M.of_attempt(job, attempt, evidence, check_workspace)
  local answer = evidence.answer
  local text, cut_bytes = cuts.bound(answer.text or "", answer.cut)
  local cut = cuts.check(job, answer.status, cut_bytes, answer.warnings)
  local status, class, err = judge(job, evidence, cut)
  local reported = M.reported(evidence, status)
  local harm = status == "ok" and check_workspace()
  if harm then status, class, err = "failed", harm.class, harm end
  mark_not_started(job, evidence, err)
  local data, problems, in_words
  if status == "ok" and job.call.schema then
    data, problems, in_words = output.check(job.call.schema, text, evidence.normalise)
    if data == nil then
      status, class = "invalid-output", "invalid-output"
      err = { kind = "failed", class = "invalid-output", hint = context.log_of(job.run, job.key),
        message = ("the answer of '%s' does not fit its schema%s: %s"):format(
          context.plain(job.key),
          attempt.repairs and ", also when asked again" or "", in_words) }
    end
    if data ~= nil then citations.mark(job, attempt, evidence, data) end
    data = output.redacted(data)
  end
  err = located(job, err)
  local refused = evidence.refused ~= nil
  -- A provider does not charge for an attempt that it refused.
  local spent = not refused and metering.priced(job, reported, answer.model) or nil
  text = refused and "" or text
  return {
    status = status, class = class, error = err, text = text, cut = cut_bytes or nil, data = data,
    problems = problems, usage = spent,
    used = metering.used(job, attempt.prompt, class, spent, text),
    model = answer.model, denied = answer.denied, session = answer.session, warnings = cut.warnings,
    exit = evidence.exit,
  }
end

--- Adds a hint to the error of a call, for example where unmerged work is kept.
local function with_hint(err, hint)
  if not hint or type(err) ~= "table" then return err end
  local copy = copy_of(err)
  copy.hint = (err.hint and err.hint .. "; " or "") .. hint
  return copy
end

---@class moonlet.LeaseEnd   result of ending a lease
---@field error table?          set if the agent changed protected paths
---@field put_aside string?     path of unmerged work that is kept
---@field files_changed string[]
---@field warnings string[]

---@param last moonlet.AttemptOutcome
---@param err table?                replaces the attempt's own error
function M.of_call(last, attempts, lease_end, err)
  local failed = lease_end.error or last.status ~= "ok"
  err = lease_end.error or failed and (err or last.error) or nil
  return {
    status = failed and "failed" or "ok", class = (lease_end.error or last).class,
    error = with_hint(err, failed and lease_end.put_aside), text = last.text, cut = last.cut,
    data = last.data, usage = usage.of_attempts(attempts), model = last.model, denied = last.denied,
    session = last.session, warnings = lease_end.warnings, files_changed = lease_end.files_changed,
    attempts = attempts, exit = last.exit,
  }
end

--- Returns the outcome of a call that was cancelled, parked or refused.
function M.raised(err, attempts, lease_end)
  return { status = "failed", class = type(err) == "table" and rawget(err, "class") or nil,
    text = "", error = err, attempts = attempts, warnings = lease_end.warnings,
    files_changed = lease_end.files_changed }
end

return M
