local retry = require "moonlet.engine.agent.retry"
local breaker = require "moonlet.engine.agent.circuit_breaker"

local minute = 60 * 1000

-- The tests' seed makes the jitter deterministic.
local state = seed
function core.clock.random_hex(count)
  state = (state * 1103515245 + 12345) % (1 << 31)
  return ("%08x"):format((state << 1) % (1 << 32)):rep(count // 4)
end
-- core.run.redact needs a running run, so this replaces it.
core.run.redact = function(text) return text end

local function a_run()
  local run = { config = { limits = {} }, emit = function() end }
  function run.note_quota(err) run.quota_error = err end
  return run
end

local function a_job(fields)
  local job = { call = {}, credential = "codex-1", runner = { name = "codex" }, limits = { wall = 20 * minute },
    key = "agent", run = a_run() }
  for name, value in pairs(fields or {}) do job[name] = value end
  return job
end

local function failed(fields)
  local err = { kind = "failed", message = "no", retryable = true }
  for name, value in pairs(fields or {}) do err[name] = value end
  return { status = "failed", error = err, class = err.class }
end

--- Checks that a transient failure is not retried after this many tries.
local function ends(job, tries, what)
  local after = retry.after(job, failed(), tries)
  is(after.wait_ms, nil, what)
  is(after.error.message, ("no (tried %d times)"):format(tries), what)
end

test("the backoff doubles up to a minute, with jitter, and is at least what the provider asked for", function()
  for tries, most in ipairs { 2000, 4000, 8000, 16000, 32000, 60000, 60000 } do
    for _ = 1, 50 do
      local ms = retry.wait(tries)
      is(ms >= most // 2 and ms <= most, true, ("%d ms after try %d"):format(ms, tries))
    end
  end
  for _ = 1, 50 do
    local ms = retry.wait(1, 30000)
    is(ms >= 30000 and ms <= 31000, true, ("%d ms of 30000 asked for"):format(ms))
  end
end)

test("a transient failure is tried three times", function()
  local job = a_job()
  for tries = 1, 2 do is(retry.after(job, failed(), tries).wait_ms ~= nil, true, "after try " .. tries) end
  local result = failed()
  local after = retry.after(job, result, 3)
  is(after.wait_ms, nil, "after try 3")
  is(after.error.message, "no (tried 3 times)", "the message")
  holds(after.error.hint, "moonlet resume", "the hint")
  is(after.error.kind, "failed", "the kind")
  is(after.parks, nil, "it does not park")
  is(result.error.message, "no", "the outcome of the attempt stays as it is")
end)

test("the call, then the config, sets the number of tries", function()
  local job = a_job { call = { retry = 5 } }
  is(retry.after(job, failed(), 4).wait_ms ~= nil, true, "the call: after try 4")
  ends(job, 5, "the call: after try 5")
  job = a_job()
  job.run.config.limits.retries = 1
  ends(job, 1, "the config: after try 1")
  is(retry.most(job), 1, "the worst case of the config")
  is(retry.most(a_job()), 3, "the worst case without one")
end)

test("a permanent failure is not retried", function()
  same(retry.after(a_job(), failed { retryable = false }, 1), {}, "not retryable")
  same(retry.after(a_job(), failed { class = "auth", stops_others = false }, 1), {}, "no login on this machine")
  is(breaker.refusal "codex-1", nil, "nobody refused anything")
  is(retry.after(a_job(), failed { class = "gone" }, 1).wait_ms, 0, "the worktree was gone")
end)

test("a quota stops every call of the account and parks the run until it is over", function()
  local job, now = a_job(), core.clock.wall()
  local after = retry.after(job, failed { class = "quota", message = "no more", reset_at = now + 60 * minute }, 1)
  is(after.wait_ms, nil, "no wait")
  is(after.error.kind, "quota", "the error")
  is(after.parks, true, "the run parks")
  is(after.error.until_ms >= now + 60 * minute, true, "its time")
  local other = a_job()
  local err = raises(function() retry.check(other) end, "no more; this run does not ask codex again until", "another call")
  is(other.run.quota_error, err, "it is known to the run")
  retry.check(a_job { credential = "codex-2" })
  is(core.clock.wall() - now < minute, true, "another account does not wait")
end)

test("a resumed run asks a refused account once", function()
  retry.after(a_job(), failed { class = "quota", message = "no more", reset_at = core.clock.wall() + 60 * minute }, 1)
  local run = a_run()
  run.asks_again = true
  local first = a_job { run = run }
  retry.check(first)
  retry.succeeded(first)
  is(breaker.refusal "codex-1", nil, "the account is open again")
  retry.check(a_job { run = run })
end)

test("after a rate limit, all calls of the account wait as long as the provider says", function()
  local job, began = a_job(), core.clock.wall()
  local after = retry.after(job, failed { class = "rate", message = "slow down", retry_after_ms = 20000 }, 1)
  is(after.wait_ms >= 20000 and after.wait_ms <= 30000, true, "the wait of the one that heard it")
  retry.check(a_job())
  is(core.clock.wall() - began >= 20000, true, "another call waits too")
end)

test("a delay of more than ten minutes is treated as a quota refusal", function()
  local after = retry.after(a_job(), failed { class = "rate", message = "slow down", retry_after_ms = 30 * minute }, 1)
  is(after.error and after.error.kind, "quota", "the error")
  is(breaker.refusal("codex-1").class, "quota", "the account")
end)

test("a refused login stops its calls, but a new login is tried", function()
  local login = "one"
  local job = a_job { login = function() return login end }
  same(retry.after(job, failed { class = "auth", message = "who are you" }, 1), {}, "no other try")
  local err = raises(function() retry.check(job) end, "who are you; codex was not started again", "the same login")
  is(err.class, "auth", "its class")
  login = "two"
  retry.check(job)
end)

test("an instant runner is retried without a wait", function()
  is(retry.after(a_job { runner = { name = "cassette", instant = true } }, failed { class = "rate" }, 1).wait_ms, 0, "the wait")
end)
