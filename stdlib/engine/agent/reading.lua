--- Reads the output of one attempt exactly once, mostly while the process runs.
--- A Reading owns the readers of output, log and transcripts, and the runner's state.
--- A Reading emits the agent's texts and tool calls as events.
local cooperative = require "moonlet.engine.base.cooperative"
local stream = require "moonlet.engine.runner.stream"

local M = {}

local most_batches = 32  -- 64 KB batches in one pass; a longer pass would delay other agents
local most_ms = 20  -- maximum duration of one pass
local most_told = 500  -- maximum number of events that are emitted for one attempt
local longest_text = 2000
local longest_detail = 120
local part_size = 256 << 10  -- maximum number of bytes that one pass reads from a transcript
local list_every_ms = 2000  -- interval of looking for new transcripts of subagents

---@class moonlet.Reading
---@field state moonlet.RunnerState
---@field doing string?      current tool, or ""
---@field tokens integer?    number of tokens used so far
---@field on_tool (fun(event: table))?  called for each event of a tool
---@field private runner table
---@field private path string  path of stdout.log, below .agent
---@field private log_path string
---@field private tell fun(kind: string, fields: table)
---@field private told integer
---@field private left_out integer
---@field private reader any
---@field private log any
---@field private files table<string, table>  read positions of transcripts
---@field private list_at integer             next time to look for transcripts
local Reading = {}
Reading.__index = Reading

--- Returns a Reading of the output in `dir`. The runner's output must be a stream of events.
---@param tell fun(kind: string, fields: table)  emits an event of the step
---@return moonlet.Reading
function M.new(runner, dir, tell)
  return setmetatable({ state = runner.begin and runner.begin() or stream.begin(), runner = runner,
    path = dir .. "/stdout.log", log_path = dir .. "/stderr.log", tell = tell, told = 0,
    left_out = 0, files = {}, list_at = 0 }, Reading)
end

local function emit(reading, kind, fields)
  if reading.told == most_told then
    reading.left_out = reading.left_out + 1
    return
  end
  reading.told = reading.told + 1
  reading.tell(kind, fields)
end

local function note(reading, event)
  if event.type == "tool" then
    local text = event.detail and ("%s: %s"):format(event.name, event.detail) or event.name
    reading.doing = event.status == "running" and core.text.printable(text, longest_detail) or ""
    emit(reading, "agent.tool", { name = core.text.printable(tostring(event.name), longest_detail),
      status = event.status or "ok", exit_code = event.exit_code,
      detail = event.detail and core.text.printable(event.detail, longest_text) or nil })
    if reading.on_tool then reading.on_tool(event) end
  elseif event.type == "text" then
    reading.doing = ""
    if type(event.text) == "string" and event.text ~= "" then
      emit(reading, "agent.message", { text = core.text.cut(event.text, longest_text) })
    end
  elseif event.type == "usage" and type(event.usage) == "table" then
    reading.tokens = event.usage.total_tokens or reading.tokens
  end
end

local function open(reading)
  reading.reader = reading.reader or core.lines.open(reading.path, reading.runner.lines)
  return reading.reader
end

local function take(reading, at_end)
  local lines, numbers, others, last = core.lines.read(reading.reader, at_end)
  if not lines then return false end
  stream.take(reading.runner, reading.state, lines, numbers, others, last, function(event)
    note(reading, event)
  end)
  return true
end

--- Reads the new lines of stdout.log. Returns false if more lines remain for the next pass.
--- Raises an error if the file cannot be read.
function Reading:look()
  if not open(self) then return true end
  local began = core.clock.monotonic()
  for _ = 1, most_batches do
    if not take(self, false) then return true end
    if core.clock.monotonic() - began > most_ms then return false end
  end
  return false
end

local function note_tokens(reading)
  local so_far = reading.state.so_far
  if so_far and not reading.state.usage then
    reading.tokens = so_far.total_tokens or reading.tokens
  end
end

--- Reads the new lines of a program's log on standard error. Returns false if there are none.
local function take_log(reading, at_end)
  reading.log = reading.log or core.lines.open(reading.log_path)
  local found = reading.log and core.lines.read(reading.log, at_end)
  if not found then return false end
  for _, line in ipairs(found) do
    if type(line) == "string" then reading.runner.log(reading.state, line) end
  end
  return true
end

--- Reads the new lines of a program's log. Some programs report their usage only in the log.
function Reading:look_at_log()
  if not self.runner.log then return end
  self.state.log_was_read = true
  take_log(self, false)
  note_tokens(self)
end

--- Parses the next complete lines of a transcript. Returns false at the end of the file.
local function take_transcript(reading, file)
  local text = core.file.part(file.root, file.path, file.at, part_size)
  if not text or text == "" then return false end
  file.at, text = file.at + #text, file.rest .. text
  local from = 1
  for line, after in text:gmatch "([^\n]*)\n()" do
    reading.runner.transcript(reading.state, line)
    from = after
  end
  file.rest = text:sub(from)
  -- Drop an incomplete line that is longer than the limit.
  if #file.rest > stream.line_cap then file.rest = "" end
  return true
end

--- Reads what was appended to the program's transcripts since the last call.
---@param scratch string?  folder of the program's own state
---@param at_end boolean?  read to the end
function Reading:look_at_transcripts(scratch, at_end)
  if not (self.runner.transcripts and scratch) then return end
  local now = core.clock.monotonic()
  if at_end or now >= self.list_at then
    for _, file in ipairs(self.runner.transcripts(scratch)) do
      self.files[file.path] = self.files[file.path]
        or { root = file.root, path = file.path, at = 0, rest = "" }
    end
    if next(self.files) then self.list_at, self.state.reports = now + list_every_ms, true end
  end
  for _, file in pairs(self.files) do
    repeat local more = take_transcript(self, file) until not (more and at_end)
  end
  note_tokens(self)
end

--- Reads the remaining output after the process has ended, and lets other tasks run in between.
---@param until_ms integer?  deadline on the monotonic clock
---@return boolean all  false if the deadline passed first
function Reading:finish(until_ms)
  local pause, all = cooperative.new(), true
  local function rest_of(take_more)
    while take_more(self, true) do
      pause()
      if until_ms and core.clock.monotonic() > until_ms then return false end
    end
    return true
  end
  if open(self) then all = rest_of(take) end
  if self.runner.log then
    self.state.log_was_read = true
    rest_of(take_log)
  end
  if self.left_out > 0 then self.tell("agent.message", { text = "", left_out = self.left_out }) end
  return all
end

function Reading:close()
  if self.reader then core.lines.close(self.reader) end
  if self.log then core.lines.close(self.log) end
  self.reader, self.log = nil, nil
end

return M
