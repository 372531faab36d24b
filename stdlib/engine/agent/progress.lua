--- Tells those who watch what an agent is at while it runs: the tool that it uses, and its tokens where it tells them
--- before its end. Nothing of it is put on record or decides anything; what an agent came to is read afterwards.
local beside = require "moonlet.engine.base.background"
local stream = require "moonlet.engine.runner.stream"
local task = core.task

local M = {}

local every_ms = 1000
local most_bytes = 8 << 20 -- of what it prints; nobody watches more
local most_batches = 32    -- of 64 KB at a time, so that one who prints much does not hold up the others
local most_ms = 20         -- at a time, for the same reason
local longest_detail = 120

local function note(seen, event)
  if event.type == "tool" then
    local text = event.detail and ("%s: %s"):format(event.name, event.detail) or event.name
    seen.doing = event.status == "running" and core.text.printable(text, longest_detail) or ""
  elseif event.type == "text" then
    seen.doing = ""
  elseif event.type == "usage" and type(event.usage) == "table" then
    seen.tokens = event.usage.total_tokens or seen.tokens
  end
end

--- What came since the last look, in `seen`. False when there will be nothing more to see.
local function look(job, seen)
  seen.reader = seen.reader or core.lines.open(job.dir .. "/stdout.log", job.runner.lines)
  if not seen.reader then return true end
  local began = core.clock.monotonic()
  for _ = 1, most_batches do
    local lines, numbers, others, last = core.lines.read(seen.reader, false)
    if not lines then return true end
    for _, line in ipairs(lines) do seen.bytes = seen.bytes + (math.type(line) and line or #line) end
    stream.take(job.runner, seen.state, lines, numbers, others, last, function(event) note(seen, event) end)
    if seen.bytes > most_bytes then return false end
    if core.clock.monotonic() - began > most_ms then return true end
  end
  return true
end

local function follow(job, seen)
  local told_doing, told_tokens
  repeat
    task.watch_sleep(every_ms)
    local ok, more = pcall(look, job, seen)
    if seen.doing ~= told_doing or seen.tokens ~= told_tokens then
      told_doing, told_tokens = seen.doing, seen.tokens
      job.run.emit("progress", { step = job.step.key, doing = told_doing, tokens = told_tokens })
    end
  until not ok or not more
end

--- Calls fn, which waits for the job's process, and watches the process meanwhile.
---@generic T
---@param job moonlet.Job
---@param fn fun(): T
---@return T
function M.during(job, fn)
  if not job.runner.parse then return fn() end
  local seen = { state = job.runner.begin and job.runner.begin(), bytes = 0 }
  local ok, result = pcall(beside.during, function() follow(job, seen) end, fn)
  if seen.reader then core.lines.close(seen.reader) end
  if not ok then error(result, 0) end
  return result
end

return M
