--- Follows an agent's events while it runs: tells those who watch what it is at, lets its limit of silence stand still
--- while a tool of it runs, and ends one that has said that it is done, has taken more turns than it may, or waits in
--- silence for a provider that refused it. What an agent came to is read afterwards, from what it printed.
local beside = require "moonlet.engine.base.background"
local stream = require "moonlet.engine.runner.stream"
local task = core.task

local M = {}

local every_ms, catching_up_ms, least_ms = 1000, 200, 50
local most_batches = 32 -- of 64 KB at a time, so that one who prints much does not hold up the others
local most_ms = 20      -- at a time, for the same reason
local last_look_ms = 200
local done_grace_ms = 5000 -- until one that is done is ended
local wait_grace_ms = 3000 -- until one is ended that waits for its provider: its own first try again is sooner
local refused_grace_ms = 1000 -- the same, where asking again is of no use
local most_broken_off = 3
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

--- Takes what came since the last look, in `seen`. False when there is more of it than could be read in time.
local function look(job, seen)
  seen.reader = seen.reader or core.lines.open(job.dir .. "/stdout.log", job.runner.lines)
  if not seen.reader then return true end
  local began = core.clock.monotonic()
  for _ = 1, most_batches do
    local lines, numbers, others, last = core.lines.read(seen.reader, false)
    if not lines then return true end
    stream.take(job.runner, seen.state, lines, numbers, others, last, function(event) note(seen, event) end)
    if core.clock.monotonic() - began > most_ms then return false end
  end
  return false
end

--- The same, of what a program logs on standard error while it says nothing on its output.
local function look_at_log(job, seen)
  if not job.runner.log then return end
  seen.log = seen.log or core.lines.open(job.dir .. "/stderr.log")
  local lines = seen.log and core.lines.read(seen.log, false)
  for _, line in ipairs(lines or {}) do
    if type(line) == "string" then job.runner.log(seen.state, line) end
  end
end

local function tell(job, seen)
  if seen.doing == seen.told_doing and seen.tokens == seen.told_tokens then return end
  seen.told_doing, seen.told_tokens = seen.doing, seen.tokens
  job.run.emit("progress", { step = job.step.key, doing = seen.doing, tokens = seen.tokens })
end

--- A tool that is at work may say nothing for as long as the agent may take.
local function hold_idle(seen, id)
  local works = seen.state.open_count > 0
  if works == seen.held then return end
  seen.held = works
  core.process.hold_idle(id, works)
end

--- Whether it waits until it may ask its provider again, and has done so for a while.
local function waits_long(seen, now)
  local waiting = seen.state.waiting
  if waiting ~= seen.waiting then seen.waiting, seen.waiting_since = waiting, now end
  if not waiting then return false end
  local is_shut = waiting.class == "quota" or waiting.class == "auth"
  return now - seen.waiting_since >= (is_shut and refused_grace_ms or wait_grace_ms)
end

--- Ends an agent of which nothing more is to come. True when it was asked to end.
local function end_finished(job, seen, id)
  local now = core.clock.monotonic()
  seen.done_at = seen.state.done and (seen.done_at or now) or nil
  local is_over = seen.done_at and now - seen.done_at >= done_grace_ms or stream.is_beyond(seen.state, job.limits.turns)
    or waits_long(seen, now) or (seen.state.broken_off or 0) >= most_broken_off
  if is_over then core.process.end_finished(id) end
  return is_over
end

local function follow(job, seen, id)
  local idle = job.limits.idle
  local rest = idle > 0 and math.max(least_ms, math.min(every_ms, idle // 4)) or every_ms
  local ok
  local caught_up = true
  repeat
    task.watch_sleep(caught_up and rest or math.min(rest, catching_up_ms))
    ok, caught_up = pcall(look, job, seen)
    pcall(look_at_log, job, seen)
    tell(job, seen)
    if ok then hold_idle(seen, id) end
  until not ok or end_finished(job, seen, id)
end

--- Calls fn, which waits for the process of an attempt, and follows the process meanwhile. What was seen of one that
--- did not come to its end is in job.seen.
---@generic T
---@param job moonlet.Job
---@param id string             of the attempt
---@param taken_over boolean    another host has started it
---@param fn fun(): T
---@return T
function M.during(job, id, taken_over, fn)
  job.seen = nil
  if not job.runner.parse then return fn() end
  -- The host before may have held its limit.
  local seen = { state = job.runner.begin and job.runner.begin() or stream.begin(), held = nil }
  if not taken_over then seen.held = false end
  local ok, result = pcall(beside.during, function() follow(job, seen, id) end, fn)
  if not ok then
    local until_ms = core.clock.monotonic() + last_look_ms
    repeat
      local read, caught_up = pcall(look, job, seen)
    until not read or caught_up or core.clock.monotonic() > until_ms
    job.seen = seen.state
  end
  if seen.reader then core.lines.close(seen.reader) end
  if seen.log then core.lines.close(seen.log) end
  if not ok then error(result, 0) end
  return result
end

return M
