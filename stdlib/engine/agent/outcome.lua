--- The outcomes of an agent call, each built once, here: of one attempt, from the exit of its process, the runner's
--- reading of its answer, the check of its workspace and the check against its schema; and of the call, from the last
--- attempt and the end of its lease. Only made_answer.lua, for answers that no process gave, builds another.
local metering = require "moonlet.engine.agent.metering"
local citations = require "moonlet.engine.agent.citations"
local context = require "moonlet.engine.context.context"
local cuts = require "moonlet.engine.agent.cuts"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local output = require "moonlet.engine.agent.output"
local outcome = require "moonlet.engine.runner.outcome"
local usage = require "moonlet.engine.runner.usage"

local M = {}

---@class moonlet.AttemptEvidence   all that is known of an attempt that is over
---@field exit table                 of its process
---@field answer moonlet.RunnerResult  the runner's reading: status, text, error, usage, model, denied, warnings
---@field so_far (fun(ended: boolean): moonlet.Usage?)?  its usage as far as an unfinished stream says
---@field passed table?              the error of a limit that it passed
---@field seen string[]?             what its tools showed it; nil where its stream does not say
---@field unread boolean?            its events were more than could be read in its time
---@field lost table?                the error of an answer that the disk did not take
---@field refused table?             the error of a provider's refusal that a cassette plays
---@field normalise (fun(data: any, schema: table): any)?  undoes what the runner had to ask for

---@class moonlet.AttemptOutcome   of an attempt
---@field status "ok"|"failed"|"invalid-output"
---@field class string?     of a failure (engine/runner/outcome.lua)
---@field error table?
---@field text string
---@field cut integer?      the size of an answer that is not whole
---@field data any          the JSON value of the answer, if the call has a schema
---@field problems string?  of an answer that does not fit its schema
---@field usage moonlet.Usage?  priced
---@field used table<string, number>  the amounts for the budgets
---@field model string?
---@field session string?   where the runner keeps sessions
---@field denied string[]?
---@field warnings string[]?
---@field exit table

---@class moonlet.CallOutcome   of a step
---@field status "ok"|"failed"
---@field class string?
---@field error table?
---@field text string
---@field cut integer?
---@field data any
---@field usage moonlet.Usage?  of all its attempts
---@field session string?       of its last attempt, to go on with
---@field model string?
---@field denied string[]?
---@field warnings string[]
---@field files_changed string[]
---@field attempts table[]      as the journal has them
---@field exit table?

local function copy_of(err)
  local copy = setmetatable({}, getmetatable(err))
  for key, value in next, err do copy[key] = value end
  return infrastructure_error.is(err) and infrastructure_error.mark(copy) or copy
end

--- The status, class and error of an attempt, from the first of its problems.
local function judge(job, evidence, cut, workspace)
  local answer, exit = evidence.answer, evidence.exit
  if evidence.refused then return "failed", evidence.refused.class, evidence.refused end
  if evidence.lost then return "failed", "lost", infrastructure_error.mark(evidence.lost) end
  if evidence.unread and (answer.status == "ok" or exit.why == "exited") then
    return "failed", "timeout", outcome.error("timeout",
      ("%s printed more events than could be read in its time"):format(job.runner.title or job.runner.name),
      { hint = "give it more time with timeout, or have it print less" })
  end
  if evidence.passed then return "failed", evidence.passed.class, evidence.passed end
  if answer.status ~= "ok" then return answer.status, answer.class, answer.error end
  if cut.error then return "failed", "invalid-output", cut.error end
  if workspace then return "failed", workspace.class, workspace end
  return "ok"
end

--- Marks the error of a process that the machine or the keeper could not start: a program that is not there is an error
--- of another kind.
local function mark_not_started(job, evidence, err)
  local exit = evidence.exit
  if exit.why == "not_started" and not job.cassette and exit.error.kind == "failed" and err then
    infrastructure_error.mark(err)
  end
end

--- Classes of failures after which the end of an attempt's output may be missing.
local breaks_off = { killed = true, crashed = true, interrupted = true }

--- The usage that the runner reported. Of an attempt that failed, and was ended or reported none, as much as was seen.
---@param evidence moonlet.AttemptEvidence
---@param status string
---@return moonlet.Usage?
function M.reported(evidence, status)
  local answer, why = evidence.answer, evidence.exit.why
  if status == "ok" or evidence.lost or not evidence.so_far then return answer.usage end
  local was_ended = why ~= "exited" or breaks_off[answer.class or ""] or false
  if answer.usage and not was_ended then return answer.usage end
  return evidence.so_far(was_ended)
end

--- The error of an attempt with the step, and the command that shows its log.
local function located(job, err)
  if not err then return nil end
  local copy = copy_of(err)
  copy.step = context.plain(job.key)
  local log = context.log_of(job.run, job.key)
  copy.hint = copy.hint and copy.hint:gsub(outcome.read_log, function() return log end)
  return copy
end

--- The outcome of an attempt.
---@param job moonlet.Execution
---@param attempt moonlet.Attempt
---@param evidence moonlet.AttemptEvidence
---@param check_workspace fun(): table?  the error of a workspace whose changes cannot be taken
---@return moonlet.AttemptOutcome
function M.of_attempt(job, attempt, evidence, check_workspace)
  local answer = evidence.answer
  local text, cut_bytes = cuts.bound(answer.text or "", answer.cut)
  local cut = cuts.check(job, answer.status, cut_bytes, answer.warnings)
  local status, class, err = judge(job, evidence, cut, nil)
  local reported = M.reported(evidence, status)
  if status == "ok" then status, class, err = judge(job, evidence, cut, check_workspace()) end
  mark_not_started(job, evidence, err)
  local data, problems, in_words
  if status == "ok" and job.call.schema then
    data, problems, in_words = output.check(job.call.schema, text, evidence.normalise)
    if data == nil then
      status, class = "invalid-output", "invalid-output"
      err = { kind = "failed", class = "invalid-output", hint = context.log_of(job.run, job.key),
        message = ("the answer of '%s' does not fit its schema%s: %s"):format(context.plain(job.key),
          attempt.repairs and ", also when asked again" or "", in_words) }
    end
    if data ~= nil then citations.mark(job, attempt, evidence, data) end
    data = output.redacted(data)
  end
  err = located(job, err)
  local refused = evidence.refused ~= nil
  -- A provider that refused an attempt has charged nothing.
  local spent = not refused and metering.priced(job, reported, answer.model) or nil
  text = refused and "" or text
  return {
    status = status, class = class, error = err, text = text, cut = cut_bytes or nil, data = data, problems = problems,
    usage = spent, used = metering.used(job, attempt.prompt, class, spent, text), model = answer.model,
    denied = answer.denied, session = answer.session, warnings = cut.warnings, exit = evidence.exit,
  }
end

--- The error of a call with the place where its work is kept.
local function with_hint(err, hint)
  if not hint or type(err) ~= "table" then return err end
  local copy = copy_of(err)
  copy.hint = (err.hint and err.hint .. "; " or "") .. hint
  return copy
end

---@class moonlet.LeaseEnd   how a lease ended
---@field error table?          the agent wrote what no agent may write
---@field put_aside string?     where the work that was not merged is kept
---@field files_changed string[]
---@field warnings string[]

--- The outcome of a call whose attempts are over.
---@param last moonlet.AttemptOutcome      of its last attempt
---@param attempts table[]
---@param lease_end moonlet.LeaseEnd
---@param err table?                the error in place of the attempt's own
---@return moonlet.CallOutcome
function M.of_call(last, attempts, lease_end, err)
  local failed = lease_end.error or last.status ~= "ok"
  err = lease_end.error or failed and (err or last.error) or nil
  local class = last.class
  if lease_end.error then class = lease_end.error.class end
  return {
    status = failed and "failed" or "ok", class = class, error = with_hint(err, failed and lease_end.put_aside),
    text = last.text, cut = last.cut, data = last.data, usage = usage.of_attempts(attempts), model = last.model,
    denied = last.denied, session = last.session, warnings = lease_end.warnings,
    files_changed = lease_end.files_changed, attempts = attempts, exit = last.exit,
  }
end

--- The outcome of a call that raised: it was cancelled, parked, or refused before an attempt.
---@param err any
---@param attempts table[]
---@param lease_end moonlet.LeaseEnd
---@return moonlet.CallOutcome
function M.raised(err, attempts, lease_end)
  return { status = "failed", class = type(err) == "table" and rawget(err, "class") or nil, text = "", error = err,
    attempts = attempts, warnings = lease_end.warnings, files_changed = lease_end.files_changed }
end

return M
