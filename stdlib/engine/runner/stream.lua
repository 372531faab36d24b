--- Shared parts of the readers of agents' event streams: lines out of bytes, JSON out of lines that may be damaged,
--- and a state that stays small whatever is printed. It never raises.
local M = {}

local null = core.json.null

M.line_cap = 5 << 20     -- bytes of one line; of a longer one that much is read
M.text_cap = 4 << 20     -- bytes of an answer that are kept
local message_cap = 4000
local most_files, most_denied, most_open, most_warnings = 2000, 100, 256, 50
local largest = 1 << 53

---@class moonlet.RunnerState
---@field lines integer       lines that were looked at
---@field events integer      lines that were events
---@field malformed integer   lines that began like an event and could not be read
---@field repaired integer    lines that could be read after damage was mended
---@field plain integer       lines that are no events
---@field skipped integer     lines longer than line_cap that could not be read in part
---@field unread boolean?     an event could not be read, and no later text replaced its text
---@field done boolean        the terminal success event was seen, and after it no failure and nothing new
---@field begun_again boolean? it said that it was done, and then began something else
---@field failure table?      { message, status?, code?, retry_after_ms?, reset_at? }: the terminal failure
---@field last_error table?   the same, of an error that need not be terminal
---@field retry table?        the same, of a retry that nothing has followed yet
---@field waiting table?      the same, of a program that waits in silence until it asks its provider again
---@field broken_off integer?  answers in a row that broke off, of a program that then asks again without end
---@field model string?
---@field session string?
---@field turns integer        answers of its model, as far as the stream shows them
---@field awaits_model boolean the next event of its model begins another answer
---@field in_answer boolean?   an answer is open whose end the stream reports
---@field at_work_since integer?  ms since 1970: a process that it has started later is a tool at work
---@field bytes integer        of its events
---@field sent_again integer   bytes of events that each of those turns began with, added up
---@field own_tokens integer?  about as many tokens its program sends with each request beside the user's prompt
---@field reports boolean?     each answer's usage is reported as it comes
---@field counted integer      answers that were reported one by one, each with its usage
---@field reported integer     answers whose usage was reported
---@field reported_bytes integer  of its events when the last of those was
---@field requests integer?    requests that its program has sent, where its log says so
---@field log_was_read boolean?  the log on standard error was read line by line
---@field last_input integer?  input tokens of the last of those
---@field so_far moonlet.Usage?  usage so far, of a stream that reports it before its end

--- A fresh state; one for each attempt.
---@return moonlet.RunnerState
function M.begin()
  return {
    lines = 0, events = 0, malformed = 0, repaired = 0, plain = 0, skipped = 0, done = false,
    files = {}, file_count = 0, denied = {}, open = {}, open_count = 0, warnings = {}, tools = 0,
    turns = 0, awaits_model = true, bytes = 0, sent_again = 0, counted = 0, reported = 0,
    reported_bytes = 0,
  }
end

-- Values of fields, as far as they are what they should be.

---@return string?
function M.str(value) return type(value) == "string" and value or nil end

---@return table?
function M.tbl(value) return type(value) == "table" and value or nil end

--- A count that can be believed.
---@return integer?
function M.count(value)
  if type(value) ~= "number" or value < 0 or value > largest then return nil end
  return math.tointeger(value)
end

---@return number?
function M.amount(value)
  if type(value) ~= "number" or value ~= value or value < 0 or value > 1e9 then return nil end
  return value
end

--- An integer of either sign: exit codes.
---@return integer?
function M.int(value)
  if type(value) ~= "number" or value < -largest or value > largest then return nil end
  return math.tointeger(value)
end

--- A field of a field …, nil if one of them is missing or no object.
function M.at(value, ...)
  for i = 1, select("#", ...) do
    if type(value) ~= "table" then return nil end
    value = value[(select(i, ...))]
  end
  if value == null then return nil end
  return value
end

--- A line for people: no colours or control characters, cut.
function M.printable(text, cap) return core.text.printable(core.text.strip(text), cap or 200) end

--- A message as it may be kept and shown. Some carry the body of an HTTP answer: its message is taken.
function M.message(text)
  text = core.text.clean(text)
  local inner = text:match("^%s*{.*}%s*$") or text:match("^%[API Error: ({.*})%]$")
  for _ = 1, 3 do
    local ok, body = pcall(core.json.decode, inner or "")
    if not ok or type(body) ~= "table" then break end
    local found = M.str(M.at(body, "error", "message")) or M.str(body.message) or M.str(body.error)
    if not found then break end
    text, inner = found, found:match("^%s*{.*}%s*$")
    if not inner then break end
  end
  return core.text.cut(text, message_cap)
end

-- Lines.

--- Mends damage that a decoder refuses and agents print: malformed UTF-8, raw control characters, halves of surrogate
--- pairs (text that was cut inside an emoji), numbers that no integer holds.
local function mend(line)
  line = core.text.clean(line)
  local parts, at, size, inside = {}, 1, #line, false
  while at <= size do
    if not inside then
      local quote = line:find('"', at, true) or size + 1
      local between = line:sub(at, quote - 1):gsub("[%z\1-\8\11\12\14-\31\127]", " ")
      between = between:gsub("%-?%d[%d.eE+-]*", function(number)
        local value = tonumber(number)
        if not value then return nil end
        if value ~= value or value == math.huge or value == -math.huge then return "null" end
        if math.type(value) == "float" and not number:find("[.eE]") then return number .. "e0" end
      end)
      parts[#parts + 1] = between
      if quote <= size then parts[#parts + 1] = '"' end
      at, inside = quote + 1, true
    else
      local special = line:find('[%z\1-\31"\\]', at)
      if not special then
        parts[#parts + 1] = line:sub(at)
        break
      end
      parts[#parts + 1] = line:sub(at, special - 1)
      local c = line:sub(special, special)
      if c == '"' then
        parts[#parts + 1], inside, at = c, false, special + 1
      elseif c == "\\" then
        local escape = line:sub(special + 1, special + 1)
        local code = escape == "u" and line:match("^%x%x%x%x", special + 2)
        local value = code and tonumber(code, 16)
        if not value then
          local known = escape:find('^["\\/bfnrt]')
          parts[#parts + 1], at = known and c .. escape or "\\\\", special + (known and 2 or 1)
        elseif value < 0xD800 or value > 0xDFFF then
          parts[#parts + 1], at = "\\u" .. code, special + 6
        else
          local second = value < 0xDC00 and line:match("^\\u([dD][c-fC-F]%x%x)", special + 6)
          parts[#parts + 1] = second and "\\u" .. code .. "\\u" .. second or "\\ufffd"
          at = special + (second and 12 or 6)
        end
      else
        parts[#parts + 1], at = "\\ufffd", special + 1
      end
    end
  end
  return table.concat(parts)
end

--- The beginning of a line that is too long, made whole: open strings and brackets are closed. Nil if that is
--- impossible.
local function complete(head)
  local stack, at, inside, began = {}, 1, false, nil
  while true do
    local special = head:find(inside and '["\\]' or '["{}%[%]]', at)
    if not special then break end
    local c = head:sub(special, special)
    at = special + 1
    if c == "\\" then
      at = special + 2
    elseif c == '"' then
      inside, began = not inside, special
    elseif c == "{" or c == "[" then
      if #stack > 64 then return nil end
      stack[#stack + 1] = c == "{" and "}" or "]"
    elseif table.remove(stack) ~= c then
      return nil
    end
  end
  -- A text that long is a value; it must be the value of a field, not its name.
  local before = inside and head:sub(math.max(1, began - 40), began - 1) or ""
  if not before:find("[:%[]%s*$") and not (before:find(",%s*$") and stack[#stack] == "]") then return nil end
  head = head:sub(1, -2 - #(head:match("\\[^\\]?[^\\]?[^\\]?[^\\]?[^\\]?$") or ""))
  return head .. '"' .. table.concat(stack):reverse()
end

local function add_warning(state, events, text)
  if #state.warnings >= most_warnings then return end
  state.warnings[#state.warnings + 1] = text
  events[#events + 1] = { type = "warning", text = text }
end

--- Notes something that a person should know of, once a state.
function M.warn(state, events, text)
  text = M.printable(text, 300)
  for _, known in ipairs(state.warnings) do
    if known == text then return end
  end
  add_warning(state, events, text)
end

--- The object on a line, or nil: then the line is no event, and the state knows why.
---@param state moonlet.RunnerState
---@param events moonlet.RunnerEvent[]
---@param line string
---@return table?
function M.object(state, events, line)
  state.lines, state.bytes = state.lines + 1, state.bytes + #line
  if #line > M.line_cap then
    state.skipped, state.unread = state.skipped + 1, true
    M.warn(state, events, ("a line of %d bytes was skipped: an event has at most %d"):format(#line, M.line_cap))
    return nil
  end
  local first = line:match("^[%s\xef\xbb\xbf]*(.)")
  if not first then return nil end
  if first ~= "{" then
    state.plain = state.plain + 1
    state.plain_tail = line:sub(-1000)
    return nil
  end
  local ok, value = pcall(core.json.decode, line)
  if not ok then
    ok, value = pcall(function() return core.json.decode(mend(line)) end)
    if ok then
      state.repaired = state.repaired + 1
      M.warn(state, events, "the output holds bytes that are no JSON text: they are replaced by U+FFFD")
    end
  end
  if not ok or type(value) ~= "table" then
    state.malformed = state.malformed + 1
    if line:sub(1, 200):find('^[^"]*"type"%s*:') then state.unread = true end
    M.warn(state, events, ("line %d of the output is no event that can be read"):format(state.lines))
    return nil
  end
  return value
end

--- A line splitter: bytes in pieces of any size, events once they are whole.
local Reader = {}
Reader.__index, Reader.__metatable = Reader, false

--- Reads a runner's stdout piece by piece.
---@param runner table  has begin and parse
---@return moonlet.RunnerReader
function M.reader(runner)
  return setmetatable({ runner = runner, state = runner.begin(), parts = {}, size = 0 }, Reader)
end

function Reader:take_line(events)
  local line = table.concat(self.parts)
  self.parts = {}
  local state = self.state
  if self.size > M.line_cap then
    line = complete(line:sub(1, M.line_cap - 1024))
    if line then
      state.cut_line = true
      M.warn(state, events, ("a line of %d bytes was read in part: an event has at most %d"):format(self.size,
        M.line_cap))
    else
      state.lines, state.skipped, state.unread = state.lines + 1, state.skipped + 1, true
      M.warn(state, events, ("a line of %d bytes was skipped: an event has at most %d"):format(self.size, M.line_cap))
    end
  elseif line:byte(-1) == 13 then
    line = line:sub(1, -2)
  end
  if line then
    for _, event in ipairs(self.runner.parse(state, line)) do events[#events + 1] = event end
  end
  self.size, state.cut_line = 0, nil
end

--- Takes the next bytes; returns the events of the lines that they complete.
---@param bytes string
---@return moonlet.RunnerEvent[]
function Reader:feed(bytes)
  local events, at = {}, 1
  while at <= #bytes do
    local stop = bytes:find("\n", at, true)
    local last = stop and stop - 1 or #bytes
    local room = M.line_cap - self.size
    if room > 0 and last >= at then
      self.parts[#self.parts + 1] = bytes:sub(at, math.min(last, at + room - 1))
      -- A line that comes in crumbs must not become a table of crumbs.
      if #self.parts > 512 then self.parts = { table.concat(self.parts) } end
    end
    self.size = self.size + last - at + 1
    if stop then self:take_line(events) end
    at = last + (stop and 2 or 1)
  end
  return events
end

--- The end of the output: a last line without its line feed counts.
---@return moonlet.RunnerEvent[]
function Reader:close()
  local events = {}
  if self.size > 0 then self:take_line(events) end
  return events
end

--- Counts a line that was not handed over, for it is too long or holds too much.
local function skip(state, bytes)
  local events = {}
  state.lines, state.skipped, state.unread = state.lines + 1, state.skipped + 1, true
  M.warn(state, events, (bytes > M.line_cap and "a line of %d bytes was skipped: an event has at most %d"
    or "a line of %d bytes was skipped: it holds more values than an event has"):format(bytes, M.line_cap))
  return events
end

--- Takes the results of core.lines.read: its lines, with the size in place of a line that was too large; the numbers of
--- these lines in the output; the count of passed-over lines, which cannot be events, and the end of the last of
--- those.
---@param runner table             has parse
---@param state moonlet.RunnerState
---@param lines (string|integer)[]
---@param numbers integer[]
---@param others integer
---@param last string
---@param note fun(event: moonlet.RunnerEvent)?
function M.take(runner, state, lines, numbers, others, last, note)
  if others > 0 then state.plain, state.plain_tail = state.plain + others, last end
  for i, line in ipairs(lines) do
    state.lines = numbers[i] - 1
    local events = math.type(line) and skip(state, line) or runner.parse(state, line)
    if note then
      for _, event in ipairs(events or {}) do note(event) end
    end
  end
end

-- The memory of a state.

--- The head and the tail of a long text, with a note about the missing middle.
---@param head string
---@param tail string
---@param bytes integer  the size of the whole
---@return string
function M.ends(head, tail, bytes)
  return ("%s\n[moonlet: %d bytes cut here]\n%s"):format(core.text.clean(head), bytes - #head - #tail,
    core.text.clean(tail))
end

local half = M.text_cap // 2

--- Adds to the last bytes of an answer that is too long; some more than are kept of them, so that it takes no longer.
local function keep_end(state, text)
  local list = state.last or { size = 0 }
  list[#list + 1] = text:sub(-half)
  list.size = list.size + #list[#list]
  if list.size > M.text_cap or #list > 512 then
    local joined = table.concat(list):sub(-half)
    list = { joined, size = #joined }
  end
  state.last = list
end

--- Keeps the answer. `more`: a part that follows the earlier ones.
function M.keep_text(state, text, more)
  state.text_cut = state.cut_line or more and state.text_cut or nil
  if not more then state.pieces, state.piece_size, state.last, state.unread = {}, 0, nil, nil end
  state.pieces, state.piece_size = state.pieces or {}, state.piece_size or 0
  local room = math.max(0, M.text_cap - state.piece_size)
  state.piece_size = state.piece_size + #text
  if room > 0 then state.pieces[#state.pieces + 1] = text:sub(1, room) end
  if #state.pieces > 512 then state.pieces = { table.concat(state.pieces) } end
  if #text > room then keep_end(state, text:sub(room + 1)) end
end

--- The text of a message. Any other value there is a message that nobody can read.
---@return string?
function M.said(state, events, value)
  if value ~= nil and value ~= null and type(value) ~= "string" then
    state.unread = true
    M.warn(state, events, "a message of the agent has no text, but another value in its place")
  end
  return M.str(value)
end

--- The answer, and its size in bytes if it is not whole.
---@return string? text, integer|false cut
function M.text(state)
  if not state.pieces then return nil, false end
  local text = table.concat(state.pieces)
  if state.text_cut then
    return core.text.clean(text) .. ("\n[cut: the first %d bytes are kept]\n"):format(#text), #text
  end
  if state.piece_size <= M.text_cap then return text, false end
  local tail = (text:sub(-half) .. table.concat(state.last)):sub(-half)
  return M.ends(text:sub(1, half), tail, state.piece_size), state.piece_size
end

function M.changed_file(state, path)
  if type(path) ~= "string" or path == "" or #path > 4096 then return end
  if state.files[path] or state.file_count >= most_files then return end
  state.files[path], state.file_count = true, state.file_count + 1
end

function M.deny(state, name, detail)
  if #state.denied >= most_denied then return end
  state.denied[#state.denied + 1] = { tool = M.printable(name, 80), detail = detail and M.printable(detail) or nil }
end

--- A tool began: it is open until its end is reported.
function M.open_tool(state, id, name)
  if type(id) ~= "string" or #id > 200 or state.open[id] ~= nil or state.open_count >= most_open then return end
  state.open[id], state.open_count = name, state.open_count + 1
end

function M.close_tool(state, id)
  if type(id) ~= "string" or state.open[id] == nil then return nil end
  local name = state.open[id]
  state.open[id], state.open_count = nil, state.open_count - 1
  return name
end

--- The agent does something after it had said that it was done: it is done when that has its end too.
function M.begin_again(state)
  if state.done then state.done, state.begun_again = false, true end
end

--- Notes an error that need not be the agent's end. After a reported end it is one.
---@param err table  see last_error
function M.note_error(state, err)
  state.last_error = err
  if state.done then state.done, state.failure = false, err end
end

--- Closes the tools that are open, of a stream in which the model speaks only after all of them have ended.
function M.close_tools(state) state.open, state.open_count = {}, 0 end

--- Counts a turn: the model speaks first, or after a tool, for which it was sent the whole conversation again.
local function count_turn(state)
  if not state.awaits_model then return end
  state.turns, state.awaits_model = state.turns + 1, false
  state.sent_again = state.sent_again + state.bytes
end

--- Begins an answer, of a stream that reports where each one begins and ends.
function M.begin_answer(state)
  count_turn(state)
  state.in_answer = true
end

--- Ends an answer, its tools included.
function M.end_answer(state) state.in_answer, state.awaits_model = nil, true end

--- Notes the usage of one answer.
---@param state moonlet.RunnerState
---@param input integer  its input tokens
function M.report_answer(state, input)
  state.counted = state.counted + 1
  state.reported, state.reported_bytes, state.last_input = state.counted, state.bytes, input
end

--- The answers of an agent's model by now.
---@param state moonlet.RunnerState
---@return integer
function M.answers(state) return math.max(state.turns, state.counted) end

--- True if an agent has taken more turns than it may.
---@param state moonlet.RunnerState
---@param most integer?
---@return boolean
function M.is_beyond(state, most) return most ~= nil and M.answers(state) > most end

--- True if an agent has taken all its turns and asks its model for another one.
---@param state moonlet.RunnerState
---@param most integer?
---@return boolean
function M.asks_beyond(state, most)
  return most ~= nil and state.turns == most and state.awaits_model and not state.done
end

local most_seen = 8 << 20

--- Keeps what a tool showed the agent: the findings of a reviewer are compared with it. Without a text the stream hides
--- what its agent has seen.
---@param state table
---@param about string?  the command or the path
---@param text string?
function M.saw(state, about, text)
  local seen = state.seen or { bytes = 0 }
  state.seen = seen
  if not text or seen.bytes + #text > most_seen then
    seen.hidden = true
    return
  end
  seen.bytes = seen.bytes + #text
  seen[#seen + 1] = (about or ""):gsub("\n", " ") .. "\n" .. text
end

--- An event of a tool; counts it. One that has ended may have `call`, its arguments, and `result`, all that it gave.
function M.tool(state, events, tool)
  state.retry = nil
  count_turn(state)
  if tool.status ~= "running" then
    state.tools = state.tools + 1
    state.awaits_model = state.open_count == 0 and not state.in_answer
  end
  if #events >= 200 then return end
  events[#events + 1] = { type = "tool", name = M.printable(tool.name, 80),
    detail = tool.detail and M.printable(tool.detail) or nil, status = tool.status, exit_code = tool.exit_code,
    call = tool.call, result = tool.result }
end

--- A part of the answer, for watchers.
function M.say(state, events, text)
  state.retry = nil
  count_turn(state)
  if #events >= 200 then return end
  events[#events + 1] = { type = "text", text = #text > 2000 and core.text.cut(text, 2000) or core.text.clean(text) }
end

--- Makes a parser that cannot raise out of one that should not.
function M.guarded(parse)
  return function(state, line)
    local events = {}
    if type(line) ~= "string" then return events end
    local ok, err = pcall(parse, state, line, events)
    if not ok then
      state.malformed = state.malformed + 1
      local message = type(err) == "table" and err.message or tostring(err)
      pcall(M.warn, state, events, "an event could not be read: " .. tostring(message))
    end
    return events
  end
end

return M
