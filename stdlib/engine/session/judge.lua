--- Judges what a session does. Each verdict names its rule and its evidence.
--- A redrawn spinner is not progress, and silence does not prove that a program hangs.
local duration = require "moonlet.duration"
local grammars = require "moonlet.engine.session.grammars"

local M = {}

---@class moonlet.SessionLimits  all in ms, except `repeats` and `busy`
M.limits = {
  settled = 700,  -- a screen that is unchanged for this long is complete
  reaction = 3000,  -- for this long after an input the screen may be outdated
  loop = 60 * 1000,  -- output that repeats old lines for this long counts as a loop
  repeats = 12,  -- number of consecutive repeated lines that make a loop
  suspect = 5 * 60 * 1000,  -- a session without a new line for this long gets the state `suspect`
  hung = 15 * 60 * 1000,
  busy = 2,  -- CPU usage in percent from which a process counts as working
  helper = 10 * 1000,  -- a process that starts this soon after its agent is a helper, not a tool
}

---@class moonlet.SessionVerdict
---@field state string       working, waiting-for-input, waiting-for-quota, looping, hung, …
---@field waits string?      trust, approval, menu, y/n, directory, password, instruction, enter, text
---@field rule string        name of the rule that decided
---@field evidence string[]  reasons for the verdict, strongest first
---@field since_ms integer?  age of this state
---@field prompt table?      the prompt of the grammar, with its answers

local function verdict(state, rule, since, evidence, more)
  local result = { state = state, rule = rule, since_ms = since, evidence = evidence }
  for key, value in pairs(more or {}) do result[key] = value end
  return result
end

local function ago(ms) return duration.text(ms < 1000 and ms or ms // 1000 * 1000) end

local function quoted(line) return ("'%s'"):format(core.text.printable(line, 120)) end

local function cause(exit)
  return exit.why == "exited" and ("exit code %d"):format(exit.code)
    or exit.why == "signalled" and ("signal %d"):format(exit.signal)
    or exit.why == "wall" and "its time limit" or exit.why == "idle" and "its limit of silence"
    or exit.why == "cancelled" and "it was ended" or exit.why == "lost"
      and "its keeper was killed" or exit.why
end

---@class moonlet.SessionLoss  output that could not be written to disk
---@field bytes integer    number of lost bytes
---@field waiting integer  number of bytes that the keeper still tries to write
---@field why string

--- Returns how much output was lost and why; nil if the log is complete.
---@return moonlet.SessionLoss?
function M.loss(exit, facts)
  if facts then
    return facts.log_error and { bytes = facts.log_lost, waiting = facts.log_waiting,
      why = facts.log_error } or nil
  end
  local why = exit.stdout_write_error
  return why and { bytes = exit.stdout_total - exit.stdout_kept, waiting = 0, why = why } or nil
end

function M.loss_text(loss)
  local parts = {}
  if loss.bytes > 0 then parts[1] = ("%d bytes of its output are missing"):format(loss.bytes) end
  if loss.waiting > 0 then
    parts[#parts + 1] = ("%d bytes of its output wait for the disk"):format(loss.waiting)
  end
  return table.concat(parts, ", ") .. ": " .. loss.why
end

function M.cause(exit)
  local loss = M.loss(exit)
  return loss and ("%s; %s"):format(cause(exit), M.loss_text(loss)) or cause(exit)
end

--- Judges an ended session by the record of its exit. Returns nil if the session still runs.
local function ended(status, exit)
  if status == "running" then return nil end
  if status == "exited" then
    return verdict("ended", "exit-record", nil,
      { "the keeper recorded its end: " .. M.cause(exit) })
  end
  if status == "none" then
    return verdict("ended", "never-started", nil, { "its program never ran" })
  end
  return verdict("lost", "no-exit-record", nil,
    { "its keeper was killed before it could record the end" })
end

local function waiting(kind, rule, facts, evidence, prompt, detail)
  return verdict("waiting-for-input", rule, facts.silent_ms, evidence,
    { waits = kind, prompt = prompt, detail = detail })
end

local function blocked_text(processes)
  return ("%s is blocked in a read of the terminal"):format(processes.foreground or "the program")
end

--- Decides whether the program waits for input, by the terminal's mode, then by the screen.
local function asks(facts, reading, agent, limits)
  local program, processes = facts.program or {}, facts.processes or {}
  local blocked = processes.reads_terminal
  local still = facts.silent_ms >= limits.settled
  -- A terminal with echo off probably shows a password prompt. On systems that cannot tell whether
  -- a process is reading the terminal (nil), also wait until the output has stopped.
  if (blocked or blocked == nil and still) and program.canonical and program.echo == false then
    return waiting("password", "terminal:echo-off", facts, { blocked
      and ("%s reads the terminal with echo off"):format(processes.foreground or "the program")
      or "the terminal takes a line with echo off" }, reading.prompt)
  end
  -- Just after an input, the screen may still show the answered prompt.
  local is_whole = reading.is_whole and not (facts.input_ms and facts.input_ms < limits.reaction)
  if reading.prompt and (still or blocked or is_whole)
      and not (reading.is_working and not reading.prompt.all) then
    local own = grammars.named(agent)
    local evidence = { ("the screen shows %s"):format(quoted(reading.line)) }
    if blocked then
      table.insert(evidence, 1, blocked_text(processes))
    end
    return waiting(reading.prompt.kind,
      "screen:" .. (own and agent or "any") .. ":" .. reading.prompt.kind, facts,
      evidence, reading.prompt, reading.detail)
  end
  if reading.is_ready and still then
    return waiting("instruction", "screen:" .. agent .. ":ready", facts,
      { "the screen has the agent's input line, and no sign of work" })
  end
  if blocked and still then
    local kind = program.canonical and "text" or "instruction"
    return waiting(kind, "terminal:blocked-read", facts,
      { blocked_text(processes) })
  end
  if still and program.canonical == false and processes.running == 0 and reading.shell then
    return waiting("instruction", "screen:any:shell", facts,
      { ("the cursor is behind %s, and nothing runs"):format(
      quoted(reading.shell)) })
  end
end

--- Returns the newest process of a session if it is a tool that the agent runs, or nil. Processes
--- that start together with the agent are no tools. A tool may print nothing for a long time.
local function tool_of(facts, agent, limits)
  local newest = grammars.named(agent) and (facts.processes or {}).newest
  return newest and newest.after_ms > limits.helper and newest.age_ms < limits.hung
    and newest or nil
end

--- Decides whether the agent makes progress, from its output and from the measurements in `more`.
--- These are `busy` (CPU usage in percent), `moved` (I/O in bytes per second) and `edited` (a file
--- that has changed). A measurement that the system does not provide is nil.
local function progress(facts, reading, agent, limits, more)
  local busy, moved = more.busy, more.moved
  local silent, same = facts.silent_ms, facts.same_ms
  local is_busy = busy and busy >= limits.busy
  local work = busy and ("its processes use %d %% of a processor and move %s a second"):format(busy,
    moved < 4096 and "little" or ("%d KB"):format(moved // 1024))
  local is_repeating = silent < limits.loop and same - silent >= limits.settled
  local draws = is_repeating and "its output repeats earlier lines" or
    ("it has printed nothing for %s"):format(ago(silent))
  if silent < limits.loop and same >= limits.loop and facts.repeats >= limits.repeats then
    return verdict("looping", "lines:repeated", same,
      { ("%d lines came since %s, and none of them was new"):format(facts.repeats, ago(same)),
        work })
  end
  if reading.download and same < limits.hung then
    return verdict("slow", "screen:download", silent,
      { ("the screen shows %s"):format(quoted(reading.line or
      reading.download)), work })
  end
  if same < limits.suspect then
    return verdict("working", silent < limits.settled and "output:new" or "output:recent", same,
      { ("the last new line came %s ago"):format(ago(same)), work })
  end
  if more.edited then
    return verdict("working", "files:edited", same,
      { ("files change: %s"):format(quoted(more.edited)), draws })
  end
  local tool = tool_of(facts, agent, limits)
  if tool then
    return verdict("working", "processes:tool", same,
      { ("its tool %s has run for %s"):format(tool.name, ago(tool.age_ms)), draws, work })
  end
  if is_busy or moved and moved > 64 * 1024 then
    return verdict("slow", "processes:busy", same, { work, draws })
  end
  if same >= limits.hung then
    return verdict("hung", "silence:" .. ago(limits.hung), same, { draws, work })
  end
  return verdict("suspect", "silence:" .. ago(limits.suspect), same, { draws, work })
end

---@param status "none"|"running"|"exited"|"lost"
---@param facts table?        state of a running session; nil if its keeper does not answer
---@param more { busy: integer?, moved: integer?, edited: string?, limits: table? }?
---@return moonlet.SessionVerdict
function M.judge(status, exit, facts, agent, more)
  more = more or {}
  local over = ended(status, exit)
  if over then return over end
  if not facts then
    return verdict("suspect", "keeper:silent", nil, { "its keeper does not answer" })
  end
  local limits = setmetatable(more.limits or {}, { __index = M.limits })
  local reading = grammars.read(facts, agent)
  local still = facts.silent_ms >= limits.settled
  if reading.quota and still and not reading.is_working
      and not (reading.prompt and reading.prompt.kind ~= "menu") then
    return verdict("waiting-for-quota", "screen:quota", facts.silent_ms,
      { ("the screen shows %s"):format(quoted(reading.quota)) })
  end
  -- An answered prompt stays on the screen until its program has read the answer.
  local is_answered = facts.input_ms and facts.input_ms <= facts.silent_ms
    and facts.input_ms < limits.reaction
  return not is_answered and asks(facts, reading, agent, limits)
    or progress(facts, reading, agent, limits, more)
end

--- Reports whether the session must be examined again, to measure the activity of its processes.
function M.needs_second_look(found)
  return found.state == "suspect" and found.rule ~= "keeper:silent" or found.state == "hung"
    or found.state == "looping"
end

return M
