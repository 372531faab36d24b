--- Follows an agent's events while it runs and reports its progress.
--- The idle limit is suspended while a tool runs.
--- An agent is stopped if it is done, exceeds a limit, or waits too long for its provider.
--- The events come from the attempt's only reader, reading.lua.
local background = require "moonlet.engine.base.background"
local lines = require "moonlet.engine.base.lines"
local sandbox = require "moonlet.engine.agent.sandbox"
local stream = require "moonlet.engine.runner.stream"
local task = core.task

local M = {}

local every_ms, catching_up_ms, least_ms = 1000, 200, 50
local limited_ms = 50  -- interval of checks if the attempt has a limit on turns or usage
local tree_every_ms = 1000
local last_look_ms = 200
local tail_size, longest_line = 4096, 120
local done_grace_ms = 5000  -- time for an agent to exit after it is done
local wait_grace_ms = 3000  -- how long a program may wait to retry
local refused_grace_ms = 1000  -- how long a program may wait after a refused login or quota
local most_broken_off = 3

---@class moonlet.Follower
---@field reading moonlet.Reading
---@field held boolean?           true if the idle limit is suspended; nil if unknown
---@field told string?            progress that was reported last
---@field tree_at integer?        time of the next check of the agent's processes
---@field has_process boolean?    true if a tool runs as a process
---@field waiting table?          provider's error after which the program waits to retry
---@field waiting_since integer?
---@field done_at integer?

local function tell(job, seen, doing, tokens)
  local told = ("%s %s"):format(tokens, doing)
  if told == seen.told then return end
  seen.told = told
  local limit = job.limits.wall
  job.run.emit("progress", { step = job.key, doing = doing, tokens = tokens,
    limit_ms = limit and limit > 0 and limit or nil })
end

--- Returns the last complete line of output, because half a line could contain half a secret.
local function last_line(job)
  local text = core.run.read_tail(job.dir .. "/stdout.log", tail_size) or ""
  if #text == tail_size then text = text:match "\n(.*)$" or "" end
  local line = lines.last(text:match "^(.*)\n" or "")
  -- A carriage return overwrites a line, so only the text after the last one is visible.
  return line and stream.printable(line:gsub("\r+$", ""):match "[^\r]*$", longest_line)
end

--- Reports whether the agent has started a process since its last event.
local function has_process(seen, id)
  local since, now = seen.reading.state.at_work_since, core.clock.monotonic()
  if not since then
    seen.tree_at = nil
    return false
  end
  if now >= (seen.tree_at or 0) then
    local born = core.process.newest_descendant(id)
    seen.tree_at, seen.has_process = now + tree_every_ms, born ~= nil and born >= since
  end
  return seen.has_process
end

--- Suspends the idle limit while a tool runs, because a tool may print nothing for a long time.
local function hold_idle(job, seen, id)
  if job.limits.idle == 0 then return end
  local works = seen.reading.state.open_count > 0 or has_process(seen, id)
  if works == seen.held then return end
  seen.held = works
  core.process.hold_idle(id, works)
end

--- Reports whether the program has waited for its provider longer than the grace period.
local function waits_long(seen, now)
  local waiting = seen.reading.state.waiting
  if waiting ~= seen.waiting then seen.waiting, seen.waiting_since = waiting, now end
  if not waiting then return false end
  local is_shut = waiting.class == "quota" or waiting.class == "auth"
  return now - seen.waiting_since >= (is_shut and refused_grace_ms or wait_grace_ms)
end

--- Stops an agent that is done, exceeds a limit, or waits too long. Returns true if it did.
local function end_finished(job, seen, id)
  local now, state = core.clock.monotonic(), seen.reading.state
  seen.done_at = state.done and (seen.done_at or now) or nil
  local is_over = seen.done_at and now - seen.done_at >= done_grace_ms or job.watch:look(state)
    or waits_long(seen, now) or (state.broken_off or 0) >= most_broken_off
  if is_over then core.process.end_finished(id) end
  return is_over
end

local function follow(job, seen, id)
  local idle, reading = job.limits.idle, seen.reading
  local rest = idle > 0 and math.max(least_ms, math.min(every_ms, idle // 4)) or every_ms
  if job.watch.is_limited then rest = math.min(rest, limited_ms) end
  local ok
  local caught_up = true
  repeat
    task.watch_sleep(caught_up and rest or math.min(rest, catching_up_ms))
    ok, caught_up = pcall(reading.look, reading)
    pcall(reading.look_at_log, reading)
    pcall(reading.look_at_transcripts, reading, sandbox.scratch_of(job.temporary))
    tell(job, seen, reading.doing, reading.tokens)
    if ok then hold_idle(job, seen, id) end
  until not ok or end_finished(job, seen, id)
end

--- Follows a program that prints no events, and reports its last line of output as progress.
local function follow_lines(job, id)
  local seen, told_at = {}, 0
  repeat
    task.watch_sleep(job.watch.is_limited and limited_ms or every_ms)
    local now = core.clock.monotonic()
    if now >= told_at then
      tell(job, seen, last_line(job))
      told_at = now + every_ms
    end
    local passed = job.watch:look(nil, core.run.size(job.dir .. "/stdout.log") or 0)
    if passed then core.process.end_finished(id) end
  until passed
end

--- Follows an attempt's process while fn waits for it. After an error, the rest of the output is
--- read for a short time.
---@generic T
---@param reading moonlet.Reading?  nil for a runner without an event stream
---@param id string             id of the attempt
---@param taken_over boolean    an earlier host started the process
---@param fn fun(): T
---@return T
function M.during(job, reading, id, taken_over, fn)
  if not reading then return background.during(function() follow_lines(job, id) end, fn) end
  -- An earlier host may have suspended the idle limit, so `held` is unknown (nil) then.
  local seen = { reading = reading, held = nil }
  if not taken_over then seen.held = false end
  local ok, result = pcall(background.during, function() follow(job, seen, id) end, fn)
  if ok then return result end
  local until_ms = core.clock.monotonic() + last_look_ms
  repeat
    local read, caught_up = pcall(reading.look, reading)
  until not read or caught_up or core.clock.monotonic() > until_ms
  error(result, 0)
end

return M
