--- Decides whether and when a failed attempt is retried.
--- The host retries, rather than the agent's program, so that each attempt is recorded.
local duration = require "moonlet.duration"
local circuit_breaker = require "moonlet.engine.agent.circuit_breaker"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

--- Maps each credential to the job that may call its provider despite a refusal: { job, since }.
local probes_of = per_run(function() return {} end)

local most_tries = 3
local first_wait_ms = 2000
local longest_wait_ms = 60 * 1000
local poll_ms = 50
--- A provider that asks for a delay of more than ten minutes is treated as out of quota.
local longest_patience_ms = 10 * 60 * 1000

--- Limits how long a call is retried after rate limits. Most rate limits end within a minute.
local longest_rate_ms = 10 * 60 * 1000

--- Returns the delay before a retry in ms: exponential backoff with jitter, at least `asked_ms`.
function M.wait(tries, asked_ms)
  local most = math.min(longest_wait_ms, first_wait_ms * 2 ^ (tries - 1))
  local share = tonumber(core.clock.random_hex(4), 16) / 0xffffffff
  local ms = math.tointeger(most // 2 + (most // 2 * share) // 1)
  if asked_ms then ms = math.max(ms, asked_ms + math.tointeger((1000 * share) // 1)) end
  return ms
end

local function until_text(until_ms)
  return ("until %s (%s)"):format(core.clock.iso(until_ms),
    "in " .. duration.text(math.max(0, until_ms - core.clock.wall())))
end

--- Returns the error that parks the run until the provider can be asked again.
local function quota_error(job, message, until_ms)
  local runner = job.runner.name
  job.run.emit("quota", { step = job.key, runner = runner, class = "quota", message = message,
    until_ms = until_ms })
  return { kind = "quota", class = "quota", until_ms = until_ms,
    message = ("%s; this run does not ask %s again %s"):format(message, runner,
      until_text(until_ms)),
    hint = "moonlet wait continues by itself at that time; moonlet resume asks again at once" }
end

--- Returns how often a prompt may be sent by the call or else the config, or nil.
local function asked_most(job)
  local most = job.call.retry or job.run.config.limits.retries
  return most and math.max(1, most) or nil
end

function M.most(job) return asked_most(job) or most_tries end

--- Reports whether this job may call a provider that refused an earlier call. One job of a resumed
--- run may, in case of new quota or a new login; the others wait for its outcome.
local function may_ask(job, holds)
  local run = job.run
  if not run.asks_again then return false end
  local probe = probes_of(run)[job.credential]
  if not probe then
    probes_of(run)[job.credential] = { job = job, since = core.clock.wall() }
    return true
  end
  -- A job that has locked the work tree must not wait for a job that may wait for this lock.
  while probe.job and probe.job ~= job and not holds do core.task.sleep(poll_ms) end
  return probe.job == job
end

local function probe_of(job)
  local probe = probes_of(job.run)[job.credential]
  return probe and probe.job == job and probe or nil
end

--- Ends a job's exclusive permission to call a provider despite an earlier refusal.
function M.ended(job)
  local probe = probe_of(job)
  if probe then probe.job = nil end
end

--- Returns the time in ms until an account can be used again, with jitter.
local function pause_of(until_ms)
  local left = math.max(0, until_ms - core.clock.wall())
  local share = tonumber(core.clock.random_hex(4), 16) / 0xffffffff
  return math.tointeger((left + left * 0.25 * share) // 1)
end

--- Waits for the end of a rate limit. Raises an error if the provider has refused this credential,
--- even if another process made the refused call.
---@param holds boolean?  the job has locked the work tree
function M.check(job, holds)
  local function refused()
    return circuit_breaker.refusal(job.credential, job.login and job.login())
  end
  local refusal = refused()
  while refusal and refusal.class == "rate" do
    local wait_ms = pause_of(refusal.until_ms)
    job.run.emit("log", { step = job.key,
      text = ("%s has had too many requests: waiting for %s"):format(job.runner.name,
        duration.text(wait_ms)) })
    core.task.sleep(wait_ms)
    refusal = refused()
  end
  if not refusal or may_ask(job, holds) then return end
  refusal = refused()
  if not refusal then return end
  -- This job has waited for the call of another job. If that call met a rate limit, wait again.
  if refusal.class == "rate" then return M.check(job, holds) end
  if refusal.class == "quota" then
    local err = quota_error(job, refusal.message, refusal.until_ms)
    job.run.note_quota(err)
    error(err, 0)
  end
  error({ kind = "failed", class = refusal.class,
    message = ("%s; %s was not started again"):format(refusal.message, job.runner.name),
    hint = ("log in again, or set another key: a new login is tried at once, the old one only "
      .. "by moonlet resume, "
      .. "or not %s")
      :format(until_text(refusal.until_ms)) }, 0)
end

function M.succeeded(job)
  local probe = probe_of(job)
  circuit_breaker.succeeded(job.credential, probe and probe.since)
  M.ended(job)
end

--- Reports whether another try is allowed. `until_ms` is the end of a rate limit, or nil.
local function may_try(job, tries, until_ms)
  local most = asked_most(job)
  if most then return tries < most end
  if not until_ms then return tries - (job.rates or 0) < most_tries end
  job.rates, job.rate_since = (job.rates or 0) + 1, job.rate_since or core.clock.wall()
  return until_ms - job.rate_since <= math.min(longest_rate_ms, job.limits.wall)
end

---@class moonlet.NextTry
---@field wait_ms integer?  delay before the next try; nil if there is none
---@field error table?      raised instead of the attempt's own error
---@field parks boolean?     the run parks until the provider can be asked again

--- Decides what follows a failed attempt. `tries` counts the attempts so far.
---@return moonlet.NextTry
function M.after(job, outcome, tries)
  local err = outcome.error
  local class = err.class or outcome.class
  -- If this machine has no login, the provider has refused nothing, so do not stop other calls.
  if class == "auth" and err.stops_others == false then return {} end
  if class == "quota" or class == "auth" then
    local until_ms = circuit_breaker.trip(job.credential, { class = class, runner = job.runner.name,
      message = err.message, reset_at = class == "quota" and err.reset_at or nil,
      login = class == "auth" and job.login and job.login() or nil, anew = probe_of(job) ~= nil })
    M.ended(job)
    if class == "auth" then return {} end
    return { error = quota_error(job, err.message, until_ms), parks = true }
  end
  -- The class `gone` means that only the worktree was lost, so the next try needs no backoff.
  if class == "gone" then return { wait_ms = 0 } end
  if not err.retryable then return {} end
  local asked = err.retry_after_ms
  local until_ms
  if class == "rate" and not job.runner.instant and not (asked and asked > longest_patience_ms) then
    until_ms = circuit_breaker.trip(job.credential,
      { class = "rate", runner = job.runner.name, message = err.message,
      reset_at = asked and core.clock.wall() + asked })
    job.run.emit("quota", { step = job.key, runner = job.runner.name, class = "rate",
      message = err.message, until_ms = until_ms })
  end
  if not may_try(job, tries, until_ms) then
    local tired = {}
    for key, value in pairs(err) do tired[key] = value end
    tired.message = ("%s (tried %d times)"):format(err.message, tries)
    tired.hint = "try again later: moonlet resume continues"
    return { error = tired }
  end
  if until_ms then return { wait_ms = pause_of(until_ms) } end
  if asked and asked > longest_patience_ms then
    until_ms = circuit_breaker.trip(job.credential,
      { class = "quota", runner = job.runner.name, message = err.message,
      reset_at = core.clock.wall() + asked, anew = probe_of(job) ~= nil })
    M.ended(job)
    return { error = quota_error(job, err.message, until_ms), parks = true }
  end
  return { wait_ms = job.runner.instant and 0 or M.wait(tries, asked) }
end

return M
