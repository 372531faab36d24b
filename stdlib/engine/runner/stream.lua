--- Provides functions that parse agents' event streams, which may be damaged. The parser's state
--- has a bounded size, however long the stream is. No function raises an error.
local M = {}

local null = core.json.null

M.line_cap = 5 << 20  -- longest line that is read, in bytes
M.text_cap = 4 << 20  -- longest answer that is kept, in bytes
local message_cap = 4000
local most_files, most_denied, most_open, most_warnings = 2000, 100, 256, 50
local largest = 1 << 53

---@class moonlet.RunnerState
---@field lines integer       number of lines of output
---@field events integer      number of lines that were events
---@field malformed integer   number of lines that began like an event and were invalid
---@field repaired integer    number of damaged lines that were repaired
---@field plain integer       number of lines that were not events
---@field skipped integer     number of lines longer than line_cap that could not be repaired
---@field unread boolean?     true if an event was not parsed and no later text replaced its text
---@field done boolean        true if success was reported, and no new work or failure followed
---@field begun_again boolean? true if the agent continued after it had reported its end
---@field fresh boolean?      true if the next text begins a new answer, for a stream of pieces
---@field failure table?      terminal failure: message, status?, code?, retry_after_ms?, reset_at?
---@field last_error table?   fields as in failure: the last error, which may not be terminal
---@field retry table?        fields as in failure: the last retry, if no event followed
---@field waiting table?      fields as in failure: the error after which the program waits to retry
---@field broken_off integer?  number of broken answers in a row, of a program that retries forever
---@field model string?
---@field session string?
---@field turns integer        number of the model's answers that the stream reports
---@field awaits_model boolean  true if the model's next event begins an answer
---@field in_answer boolean?   true inside an answer whose end will be reported
---@field at_work_since integer?  ms since 1970; child processes that started later are tools
---@field bytes integer        size of all events
---@field sent_again integer   bytes of earlier messages that all requests together have sent again
---@field own_tokens integer?  approximate tokens of the program's own instructions in each request
---@field reports boolean?     true if usage is reported after each answer
---@field counted integer      number of answers whose own usage was reported
---@field reported integer     number of answers that the reported usage covers
---@field reported_bytes integer  size of all events at the last reported usage
---@field requests integer?    number of requests that the program has sent, if its log counts them
---@field log_was_read boolean?  true if the log on standard error was read while the agent ran
---@field last_input integer?  input tokens of the last reported usage
---@field so_far moonlet.Usage?  usage so far, if the stream reports it before its end

function M.begin()
  return {
    lines = 0, events = 0, malformed = 0, repaired = 0, plain = 0, skipped = 0, done = false,
    files = {}, file_count = 0, denied = {}, open = {}, open_count = 0, warnings = {}, tools = 0,
    turns = 0, awaits_model = true, bytes = 0, sent_again = 0, counted = 0, reported = 0,
    reported_bytes = 0,
  }
end

-- Each of the following functions returns its argument, or nil if the argument has another type.

function M.str(value) return type(value) == "string" and value or nil end

function M.tbl(value) return type(value) == "table" and value or nil end

--- Returns a non-negative integer, or nil for any other value or an implausibly large number.
function M.count(value)
  if type(value) ~= "number" or value < 0 or value > largest then return nil end
  return math.tointeger(value)
end

function M.amount(value)
  if type(value) ~= "number" or value ~= value or value < 0 or value > 1e9 then return nil end
  return value
end

--- Returns the argument if it is an integer, which may be negative. Otherwise returns nil.
function M.int(value)
  if type(value) ~= "number" or value < -largest or value > largest then return nil end
  return math.tointeger(value)
end

--- Returns a nested field, or nil if any level is missing.
function M.at(value, ...)
  for i = 1, select("#", ...) do
    if type(value) ~= "table" then return nil end
    value = value[(select(i, ...))]
  end
  if value == null then return nil end
  return value
end

--- Formats a text as one short line, without colours and control characters.
function M.printable(text, cap) return core.text.printable(core.text.strip(text), cap or 200) end

--- Returns the message to display. If the text is an HTTP body, returns only the message in it.
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

--- Repairs malformed UTF-8, control characters, unpaired surrogates and huge numbers in JSON.
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

--- Completes a truncated line of JSON by closing its open string and brackets. Returns nil if that
--- is impossible.
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
  -- The string that was cut off must be a value, because the name of a field cannot be completed.
  local before = inside and head:sub(math.max(1, began - 40), began - 1) or ""
  if not before:find("[:%[]%s*$") and not (before:find(",%s*$") and stack[#stack] == "]") then
    return nil
  end
  head = head:sub(1, -2 - #(head:match("\\[^\\]?[^\\]?[^\\]?[^\\]?[^\\]?$") or ""))
  return head .. '"' .. table.concat(stack):reverse()
end

local function add_warning(state, events, text)
  if #state.warnings >= most_warnings then return end
  state.warnings[#state.warnings + 1] = text
  events[#events + 1] = { type = "warning", text = text }
end

--- Adds a warning to the state, but never the same warning twice.
function M.warn(state, events, text)
  text = M.printable(text, 300)
  for _, known in ipairs(state.warnings) do
    if known == text then return end
  end
  add_warning(state, events, text)
end

--- Counts a skipped line, which is too long or contains too many values.
local function skip(state, events, bytes)
  state.skipped, state.unread = state.skipped + 1, true
  M.warn(state, events,
    (bytes > M.line_cap and "a line of %d bytes was skipped: an event has at most %d"
    or "a line of %d bytes was skipped: it holds more values than an event has"):format(bytes,
    M.line_cap))
end

--- Parses a line of output as a JSON object. Returns nil if the line is not an event.
---@param events moonlet.RunnerEvent[]
function M.object(state, events, line)
  state.lines, state.bytes = state.lines + 1, state.bytes + #line
  if #line > M.line_cap then
    skip(state, events, #line)
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
      M.warn(state, events,
        "the output contains bytes that are not JSON text, which are replaced by U+FFFD")
    end
  end
  if not ok or type(value) ~= "table" then
    state.malformed = state.malformed + 1
    if line:sub(1, 200):find('^[^"]*"type"%s*:') then state.unread = true end
    M.warn(state, events, ("line %d of the output is not a readable event"):format(state.lines))
    return nil
  end
  return value
end

local Reader = {}
Reader.__index, Reader.__metatable = Reader, false

---@param runner table  a runner with the functions `begin` and `parse`
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
      M.warn(state, events,
        ("a line of %d bytes was read in part: an event has at most %d"):format(self.size,
        M.line_cap))
    else
      state.lines = state.lines + 1
      skip(state, events, self.size)
    end
  elseif line:byte(-1) == 13 then
    line = line:sub(1, -2)
  end
  if line then
    for _, event in ipairs(self.runner.parse(state, line)) do events[#events + 1] = event end
  end
  self.size, state.cut_line = 0, nil
end

--- Parses the next bytes and returns the events of the lines that they complete.
---@return moonlet.RunnerEvent[]
function Reader:feed(bytes)
  local events, at = {}, 1
  while at <= #bytes do
    local stop = bytes:find("\n", at, true)
    local last = stop and stop - 1 or #bytes
    local room = M.line_cap - self.size
    if room > 0 and last >= at then
      self.parts[#self.parts + 1] = bytes:sub(at, math.min(last, at + room - 1))
      -- Join many small pieces of a line, so that the table of pieces stays small.
      if #self.parts > 512 then self.parts = { table.concat(self.parts) } end
    end
    self.size = self.size + last - at + 1
    if stop then self:take_line(events) end
    at = last + (stop and 2 or 1)
  end
  return events
end

--- Ends the output. Parses a last line without a line feed, and returns its events.
---@return moonlet.RunnerEvent[]
function Reader:close()
  local events = {}
  if self.size > 0 then self:take_line(events) end
  return events
end

--- Parses the lines that core.lines.read returned, and passes their events to `note`.
---@param runner table             a runner with the function `parse`
---@param lines (string|integer)[]  a line that was too large is replaced by its size
---@param numbers integer[]  the line numbers in the output
---@param others integer     number of lines that cannot be events, such as plain text
---@param last string?       the end of the last of these lines
---@param note fun(event: moonlet.RunnerEvent)
function M.take(runner, state, lines, numbers, others, last, note)
  if others > 0 then state.plain, state.plain_tail = state.plain + others, last end
  for i, line in ipairs(lines) do
    local events = {}
    if math.type(line) then
      state.lines = numbers[i]
      skip(state, events, line)
    else
      state.lines = numbers[i] - 1
      events = runner.parse(state, line)
    end
    for _, event in ipairs(events or {}) do note(event) end
  end
end

--- Joins the head and the tail of a long text, with a note about the missing middle.
---@param bytes integer  size of the whole text
function M.ends(head, tail, bytes)
  return ("%s\n[moonlet: %d bytes cut here]\n%s"):format(core.text.clean(head),
    bytes - #head - #tail, core.text.clean(tail))
end

local half = M.text_cap // 2

--- Appends a text to a long answer, of which only the end is kept. Joins the pieces only from time
--- to time, because joining is slow.
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

--- Replaces the answer, or appends to it if `more` is true.
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

--- Returns the text of a message, and warns if it is not a string.
function M.said(state, events, value)
  if value ~= nil and value ~= null and type(value) ~= "string" then
    state.unread = true
    M.warn(state, events, "a message of the agent has no text, but another value in its place")
  end
  return M.str(value)
end

--- Returns the answer, and its full size in bytes if it was truncated.
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
  state.denied[#state.denied + 1] = { tool = M.printable(name, 80),
    detail = detail and M.printable(detail) or nil }
end

--- Marks a tool as running until its end is reported.
function M.open_tool(state, id, name)
  if type(id) ~= "string" or #id > 200 or state.open[id] ~= nil
      or state.open_count >= most_open then
    return
  end
  state.open[id], state.open_count = name, state.open_count + 1
end

function M.close_tool(state, id)
  if type(id) ~= "string" or state.open[id] == nil then return nil end
  local name = state.open[id]
  state.open[id], state.open_count = nil, state.open_count - 1
  return name
end

--- Records that an agent continues after it reported its end. Its next text replaces the answer.
function M.begin_again(state)
  if state.done then state.done, state.begun_again, state.fresh = false, true, true end
end

--- Notes an error. If the agent had already reported success, the attempt now counts as failed.
---@param err table  as the field `last_error`
function M.note_error(state, err)
  state.last_error = err
  if state.done then state.done, state.failure = false, err end
end

--- Marks all tools as ended, because a text of the model means that in some streams.
function M.close_tools(state) state.open, state.open_count = {}, 0 end

--- Counts a turn when the model begins an answer. Each turn sends the whole conversation again.
local function count_turn(state)
  if not state.awaits_model then return end
  state.turns, state.awaits_model = state.turns + 1, false
  state.sent_again = state.sent_again + state.bytes
end

--- Records the start of an answer. Only for streams that report both the start and the end of an
--- answer.
function M.begin_answer(state)
  count_turn(state)
  state.in_answer = true
end

function M.end_answer(state) state.in_answer, state.awaits_model = nil, true end

---@param input integer  input tokens of the answer
function M.report_answer(state, input)
  state.counted = state.counted + 1
  state.reported, state.reported_bytes, state.last_input = state.counted, state.bytes, input
end

function M.answers(state) return math.max(state.turns, state.counted) end

--- Reports whether an agent has made more turns than `most`. Without `most` there is no limit.
function M.is_beyond(state, most) return most ~= nil and M.answers(state) > most end

--- Reports whether the agent has used all its turns and is about to start another turn.
function M.asks_beyond(state, most)
  return most ~= nil and state.turns == most and state.awaits_model and not state.done
end

local most_seen = 8 << 20

--- Stores the output of a tool, so that a reviewer's findings can be checked against it later.
---@param about string?  the command or the path
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

--- Adds a tool call to `events`, with its arguments and output if they are known, and counts it.
function M.tool(state, events, tool)
  state.retry = nil
  count_turn(state)
  if tool.status ~= "running" then
    state.tools = state.tools + 1
    state.awaits_model = state.open_count == 0 and not state.in_answer
  end
  if #events >= 200 then return end
  events[#events + 1] = { type = "tool", name = M.printable(tool.name, 80),
    detail = tool.detail and M.printable(tool.detail) or nil, status = tool.status,
    exit_code = tool.exit_code, call = tool.call, result = tool.result }
end

function M.say(state, events, text)
  state.retry = nil
  count_turn(state)
  if #events >= 200 then return end
  events[#events + 1] = { type = "text",
    text = #text > 2000 and core.text.cut(text, 2000) or core.text.clean(text) }
end

--- Adds an error event. With `ends`, also adds the event that the agent has failed.
function M.fail(events, err, ends)
  events[#events + 1] = { type = "error", text = M.printable(M.message(err.message), 300) }
  if ends then events[#events + 1] = { type = "done", status = "failed" } end
end

function M.succeed(state, events)
  state.done, state.failure = true, nil
  events[#events + 1] = { type = "done", status = "ok" }
end

function M.begin_session(state, events)
  events[#events + 1] = { type = "session", model = state.model and M.printable(state.model, 80),
    id = state.session and M.printable(state.session, 80) }
end

--- Adds the functions begin() and parse() to a runner that reads an event stream. A runner that reads
--- lines in its own way has its parse() already.
---@param parse fun(state: moonlet.RunnerState, events: moonlet.RunnerEvent[], event: table, kind: string)?
---@param own_tokens integer  tokens of the program's own instructions and tools in one request
---@param reports boolean?  the stream reports usage after each answer
function M.make_reader(runner, parse, own_tokens, reports)
  runner.parse = runner.parse or M.guarded(function(state, line, events)
    local event = M.object(state, events, line)
    local kind = event and M.str(event.type)
    if not kind then return end
    state.events = state.events + 1
    parse(state, events, event, kind)
  end)
  function runner.begin()
    local state = M.begin()
    state.own_tokens, state.reports = own_tokens, reports
    return state
  end
end

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
