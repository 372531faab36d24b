local attempt = require "moonlet.engine.agent.attempt"
local command = require "moonlet.engine.runner.command"
local executions = require "moonlet.engine.agent.execution"
local outcome = require "moonlet.engine.agent.outcome"
local output = require "moonlet.engine.agent.output"

local runner = { name = "command", title = "the agent" }
function runner.command(call) return { argv = call.argv, stdin = "prompt" } end
function runner.finish(_, exit, answers)
  return command.finish(exit, { text = answers.file or answers.stdout or "", cut = answers.cut }, answers.limits)
end

--- Returns a job without a real process. `child(spec)` plays the process and may write files of the step.
local function a_job(child, fields)
  local run = a_run()
  local resolved = { run = run, call = {}, argv = { "agent" }, sandbox = "read-only", confine = "none", config = {},
    limits = { wall = 60000, idle = 0 }, runner = runner }
  for name, value in pairs(fields or {}) do resolved[name] = value end
  local job = executions.new(resolved, "agent", run.sidecar)
  job.lease = { place = { cwd = run.top, writable = {} } }
  core.run.redact = function(text) return (text:gsub("secret", "[redacted]")) end
  function core.process.run(spec)
    local exit = child(spec, function(name, text) core.run.write(job.dir .. "/" .. name, text) end) or {}
    local printed = core.run.size(job.dir .. "/stdout.log") or 0
    for name, value in pairs { why = "exited", code = 0, duration_ms = 5, stdout_total = printed, stdout_kept = printed,
      stderr_total = 0 } do
      if exit[name] == nil then exit[name] = value end
    end
    return exit
  end
  return job
end

local function first() return attempt.new { kind = "first", number = 1, prompt = "Do it." } end
local function second() return attempt.new { kind = "retry", number = 2, prompt = "Again." } end

--- Returns the outcome and evidence of an attempt whose workspace is intact.
local function result_of(job, try)
  local evidence = attempt.run(job, try)
  return outcome.of_attempt(job, try, evidence, function() end), evidence
end

test("the answer is the program's redacted output", function()
  local seen
  local job = a_job(function(spec, put)
    seen = spec
    put("stdout.log", "the secret is out\n")
  end)
  local result, evidence = result_of(job, first())
  is(result.status, "ok", "its status")
  holds(result.text, "the [redacted] is out", "its text")
  is(seen.argv[1], "agent", "the program")
  is(seen.wall_ms, 60000, "its time")
  is(seen.redact, true, "secrets are hidden as they come")
  is(seen.outlives, true, "it may outlive its host")
  attempt.write_exit(job, evidence.exit, result)
  holds(core.run.read(job.dir .. "/exit.json", 1 << 16), '"code"', "the record of its end")
end)

test("an answer in output.md overrides the printed output", function()
  local job = a_job(function(_, put)
    put("stdout.log", "working…\n")
    put("out/output.md", "the answer")
  end)
  is(result_of(job, first()).text, "the answer", "the text")
end)

test("an earlier attempt's answer is not read as the answer of this one", function()
  local count = 0
  local job = a_job(function(_, put)
    count = count + 1
    put("stdout.log", "printed " .. count)
    if count == 1 then put("out/output.md", "old") end
  end)
  is(result_of(job, first()).text, "old", "the first")
  local again = result_of(job, second())
  is(again.text, "printed 2", "the second")
  is(core.run.read(job.dir .. "/attempt-1-stdout.log", 100), "printed 1", "what the first printed is kept")
end)

test("a failing program fails the attempt with its exit code in the message", function()
  local job = a_job(function(_, put)
    put("stderr.log", "no credit left\n")
    return { code = 3 }
  end)
  local result = result_of(job, first())
  is(result.status, "failed", "its status")
  holds(result.error.message, "3", "the exit code")
end)

test("an answer that the disk lost is asked for again", function()
  local job = a_job(function(_, put)
    put("stdout.log", "half")
    return { stdout_kept = 4000, stdout_total = 4000 }
  end)
  local result = result_of(job, first())
  is(result.status .. " " .. result.class, "failed lost", "fewer bytes than were written")
  holds(result.error.message, "the agent's answer was lost", "its message")
  holds(result.error.hint, "the agent is asked again", "its hint")
end)

test("a write error loses the answer unless output.md exists", function()
  local job = a_job(function(_, put)
    put("out/output.md", "the answer")
    return { stdout_write_error = "No space left on device" }
  end)
  is(result_of(job, first()).status, "ok", "with its file")
  core.run.remove(job.dir .. "/out/output.md")
  local again = core.process.run
  function core.process.run(spec)
    local exit = again(spec)
    core.run.remove(job.dir .. "/out/output.md")
    return exit
  end
  local result = result_of(job, second())
  is(result.class, "lost", "without one")
  holds(result.error.hint, "free some disk space", "its hint")
end)

test("a missing program raises an error before anything starts", function()
  local started = false
  local job = a_job(function() started = true end, { absent = { kind = "invalid", message = "no program 'agent'" } })
  raises(function() result_of(job, first()) end, "no program 'agent'", "the error")
  is(started, false, "started")
end)

test("every text of a result is redacted again", function()
  core.run.redact = function(text) return (text:gsub("secret", "[redacted]")) end
  local told = output.redacted { text = "a secret", list = { "secret", 1, true }, ["secret key"] = { x = "secret" } }
  same(told, { text = "a [redacted]", list = { "[redacted]", 1, true }, ["[redacted] key"] = { x = "[redacted]" } }, "the result")
end)
