--- Turns inputs into sentences with their places. What is quoted, logged, code, or spoken by somebody other than the
--- user never becomes one; where something private stands in a sentence, the sentence says of which class.
local m = require "moonlet"
local paths = require "moonlet.paths"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local line_cap = 4000
local paragraph_cap = 8000

local function set(text)
  local result = {}
  for word in string.gmatch(text, "%S+") do result[word] = true end
  return result
end

local INSTRUCTIONS = { "agents%.md$", "claude[%w%.%-]*%.md$", "gemini%.md$", "copilot%-instructions", "cursorrules$",
  "windsurfrules$", "clinerules$", "%.cursor/", "convention", "guideline",
    "style[%w_%-]*%.[mrt][dsx]t?$",
  "rules%.mdc?$", "skill%.md$", "playbook", "house[-_]rules" }

---What kind of document an input is: instructions, guide, memory, decision, review, chat, log, notes; nil where it
---holds
---no prose.
---@param path string
---@param text string
---@return string?
function M.kind(path, text)
  local low = lower(path)
  local name = match(low, "[^/]*$")
  for _, pattern in ipairs(INSTRUCTIONS) do
    if find(low, pattern) then return "instructions" end
  end
  if find(low, "contributing") or find(low, "hacking%.") then return "guide" end
  if find(low, "%.jsonl?$") then return find(text, '"%a+"%s*:') and "chat" or nil end
  local first = sub(text, 1, 4000)
  if find("\n" .. first, "\ncommit %x%x%x%x%x%x%x+") or find(low, "git[-_ ]log") or find(name, "^commits") then
    return "log"
  end
  if find(name, "decision") or find(low, "decisions?/") or find(low, "%f[%w]adrs?/") or find(low, "^adr") then
    return "decision"
  end
  if find(low, "memory") or find(low, "preference") or find(low, "feedback") or find(low, "lesson")
    or find(low, "learning") or find(low, "remember") then
    return "memory"
  end
  if find(low, "transcript") or find(low, "chat") or find(low, "session") or find(low, "conversation")
    or find("\n" .. first, "\n[%*#%s]*User[%*%s]*:") or find("\n" .. first, "\n[%*#%s]*Human[%*%s]*:") then
    return "chat"
  end
  if find(low, "review") or find(low, "%f[%w]pr%-%d") then return "review" end
  local d = paths.describe(path)
  if d.kind == "docs" or d.kind == "unknown" or d.ext == "log" then return "notes" end
  return nil
end

--- Lines of a text with their numbers.
local function numbered(text)
  local lines, number = {}, 0
  for line in string.gmatch(text .. "\n", "([^\n]*)\n") do
    number = number + 1
    lines[number] = { text = gsub(line, "\r$", ""), line = number }
  end
  if lines[#lines] and lines[#lines].text == "" then lines[#lines] = nil end
  return lines
end

local SPEAKS = { "role", "from", "speaker", "author", "sender", "type" }
local SAYS = { "content", "text", "message", "body", "parts" }

local function said(record)
  local value
  for _, key in ipairs(SAYS) do
    value = value or record[key]
  end
  if type(value) == "table" and value.content ~= nil then value = value.content end
  if type(value) == "string" then return value end
  local parts = {}
  for _, part in ipairs(type(value) == "table" and value or {}) do
    if type(part) == "string" then parts[#parts + 1] = part end
    if type(part) == "table" and type(part.text) == "string" then parts[#parts + 1] = part.text end
  end
  return #parts > 0 and table.concat(parts, "\n") or nil
end

local USER = set "user human me"

local function spoken(record, line, segments, path)
  if type(record) ~= "table" then return end
  local speaker
  for _, key in ipairs(SPEAKS) do
    speaker = speaker or (type(record[key]) == "string" and lower(record[key])) or nil
  end
  if speaker == nil and type(record.message) == "table" then speaker = record.message.role end
  local text = said(record)
  if text and USER[speaker] then
    local lines = {}
    for piece in string.gmatch(text .. "\n", "([^\n]*)\n") do lines[#lines + 1] = { text = piece, line = line } end
    segments[#segments + 1] = { path = path, kind = "chat", lines = lines, speaker = "user" }
  end
end

local function decode(text)
  local ok, value = pcall(m.json.decode, text)
  if ok then return value end
end

local function line_at(text, record, from)
  local words = said(record)
  if not words then return 1, from end
  local start = gsub(sub(m.json.encode(words), 2, 41), '"$', "")
  local at = find(text, start, from, true) or from
  local _, breaks = gsub(sub(text, 1, at), "\n", "")
  return breaks + 1, at
end

local function json_segments(input, segments)
  local whole = decode(input.text)
  if type(whole) == "table" and (whole[1] ~= nil or type(whole.messages) == "table") then
    local at = 1
    for _, record in ipairs(whole[1] ~= nil and whole or whole.messages) do
      if type(record) == "table" then
        local line
        line, at = line_at(input.text, record, at)
        spoken(record, line, segments, input.path)
      end
    end
    return
  end
  for _, entry in ipairs(numbered(input.text)) do
    if sub(entry.text, 1, 1) == "{" then spoken(decode(entry.text), entry.line, segments, input.path) end
  end
end

--- The lines that a diff adds to files of prose.
local function diff_segments(input, segments)
  local path, line, lines = nil, 0, {}
  local function close()
    local kind = path and #lines > 0 and M.kind(path, "")
    if kind then segments[#segments + 1] = { path = path, kind = kind, lines = lines } end
    lines = {}
  end
  for text in string.gmatch(input.text .. "\n", "([^\n]*)\n") do
    local to, start = match(text, "^%+%+%+ b/(.+)$"), match(text, "^@@ %-%d+,?%d* %+(%d+)")
    if to then
      close()
      path = to
    elseif start then
      line = tonumber(start) - 1
    elseif find(text, "^%+") then
      line = line + 1
      lines[#lines + 1] = { text = sub(text, 2), line = line }
    elseif find(text, "^ ") or text == "" then
      line = line + 1
      if #lines > 0 and lines[#lines].text ~= "" then lines[#lines + 1] = { text = "", line = line } end
    end
  end
  close()
end

---The parts of an input that are read: {path, kind, lines = {{text, line}}, speaker}.
---@param input table of ctx.inputs
---@return table[] segments, string? why nothing is read
function M.segments(input)
  local segments = {}
  if input.binary then return segments, "binary" end
  if input.kind == "diff" then
    diff_segments(input, segments)
    return segments, #segments == 0 and "adds nothing to prose" or nil
  end
  local kind = M.kind(input.path, input.text)
  if not kind then return segments, "no prose" end
  if find(lower(input.path), "%.jsonl?$") then
    json_segments(input, segments)
    return segments, #segments == 0 and "the user says nothing in it" or nil
  end
  segments[1] = { path = input.path, kind = kind, lines = numbered(input.text) }
  return segments
end

local LEVELS = set "TRACE DEBUG INFO NOTICE WARN WARNING ERROR FATAL CRITICAL PANIC"

local function is_log(text)
  return find(text, "^%s*%[?%d%d%d%d%-%d%d%-%d%d[T ]%d%d:%d%d") ~= nil
    or find(text, "^%s*%[?%d%d:%d%d:%d%d") ~= nil or find(text, "^%s*%u%l%l %s?%d+ %d%d:%d%d:%d%d") ~= nil
    or LEVELS[match(text, "^%s*%[?(%u+)%]?[:%s]") or ""] ~= nil
    or find(text, "^%s*[%$%%#>] %l") ~= nil and not find(text, "^%s*# ") or find(text, "^%s*at [%w%.$_]+%(") ~= nil
    or find(text, "^%s*%l+[%w_%.%-]*%[%d+%]:") ~= nil or find(text, "^%s*[%w_/%.%-]+:%d+:%d*:? ") ~= nil
    or find(text, "^%s*>>> ") ~= nil or find(text, "^Traceback ") ~= nil
end

local ABBREVIATIONS = set "e.g i.e vs etc dr mr mrs ms prof no nr fig eq approx resp cf al st incl max min"

--- The ends of the sentences of a paragraph.
local function sentence_ends(text)
  local ends, pos, depth_tick = {}, 1, false
  while true do
    local at = find(text, "[%.!%?`]", pos)
    if not at then break end
    local char = sub(text, at, at)
    if char == "`" then
      depth_tick = not depth_tick and find(text, "`", at + 1, true) ~= nil
    elseif not depth_tick and find(text, "^[\"'%)%*_]*%s", at + 1) then
      local word = lower(match(sub(text, math.max(1, at - 12), at - 1), "[%w%.]*$"))
      local abbreviation = char == "." and (ABBREVIATIONS[word] or find(word, "^%a$"))
      -- An ordinal, "3. ", ends nothing; a year or a number does.
      if not abbreviation then
        local _, last = find(text, "^[\"'%)%*_]*", at + 1)
        ends[#ends + 1] = last
      end
    end
    pos = at + 1
  end
  ends[#ends + 1] = #text
  return ends
end

-- A paragraph: text, and for each of its lines where it begins in it, its number and its offset in the segment.
local function add_line(paragraph, text, entry, offset)
  local lead = match(text, "^%s*()")
  text = gsub(sub(text, lead), "%s+$", "")
  if text == "" or #paragraph.text > paragraph_cap then return end
  local base = #paragraph.text
  if base > 0 then
    paragraph.text = paragraph.text .. " "
    base = base + 1
  end
  paragraph.marks[#paragraph.marks + 1] = { at = base + 1, line = entry.line, offset = offset + lead - 1 }
  paragraph.text = paragraph.text .. text
end

local function place_of(paragraph, at)
  local mark = paragraph.marks[1]
  for _, candidate in ipairs(paragraph.marks) do
    if candidate.at <= at then mark = candidate end
  end
  return mark.line, mark.offset + at - mark.at
end

-- Hits are in order and do not overlap.
local function class_between(hits, from, to)
  local low, high = 1, #hits + 1
  while low < high do
    local middle = (low + high) // 2
    if hits[middle].to < from then low = middle + 1 else high = middle end
  end
  local class
  while hits[low] and hits[low].from <= to do
    class = class == "secret" and class or hits[low].class
    low = low + 1
  end
  return class
end

local function cut_paragraph(paragraph, segment, hits, units)
  local from = 1
  for _, to in ipairs(sentence_ends(paragraph.text)) do
    local start = from + #match(sub(paragraph.text, from, to), "^%s*")
    local text = sub(paragraph.text, start, to)
    if find(text, "[%a\128-\255]") then
      local line, first = place_of(paragraph, start)
      local _, last = place_of(paragraph, to)
      units[#units + 1] = { text = text, line = line, path = segment.path, kind = segment.kind,
        class = class_between(hits, first, last), heading = paragraph.heading, list = paragraph.list,
        ordered = paragraph.ordered, task = paragraph.task, speaker = paragraph.speaker, first = first, hits = hits }
    end
    from = to + 1
  end
end

local OTHERS = set [[assistant agent claude codex gemini gpt chatgpt copilot ai bot system tool model sidecar reviewer
  function result output]]

local function speaker_of(text)
  local name, rest = match(text, "^[%s#]*%*?%*?(%a+)%*?%*?:%*?%*?%s*()")
  if not name then name, rest = match(text, "^#+%s*(%a+)%s*()$") end
  local low = name and lower(name)
  if low and USER[low] and low ~= "me" then return "user", rest end
  if low and OTHERS[low] then return "other", rest end
end

local OVER = { "superseded", "deprecated", "obsolete", "rejected", "withdrawn" }

-- A record of a decision that holds no longer.
local function is_over(segment)
  for i = 1, math.min(#segment.lines, 30) do
    local status = match(lower(segment.lines[i].text), "^%W*status%W*:%W*(.*)")
    for _, word in ipairs(status and OVER or {}) do
      if find(status, word, 1, true) then return true end
    end
  end
  return false
end

local function front_matter_end(lines)
  if not lines[1] or lines[1].text ~= "---" then return 0 end
  for i = 2, math.min(#lines, 60) do
    if lines[i].text == "---" or lines[i].text == "..." then return i end
  end
  return 0
end

---The sentences of a segment.
---@param segment table
---@param names string[] words of names that are known
---@return table[] units
function M.units(segment, names)
  local units, texts = {}, {}
  for i, entry in ipairs(segment.lines) do texts[i] = entry.text end
  local whole = table.concat(texts, "\n")
  local hits = m.privacy.scan(whole, { names = names })
  if is_over(segment) then return units end
  local offset, paragraph, heading = 1, nil, nil
  local fence, comment, blank, in_message = nil, false, true, false
  local speaker = segment.speaker
  local function flush()
    if paragraph and paragraph.text ~= "" then cut_paragraph(paragraph, segment, hits, units) end
    paragraph = nil
  end
  local function open(fields)
    flush()
    paragraph = { text = "", marks = {}, heading = heading, speaker = speaker }
    for key, value in pairs(fields or {}) do paragraph[key] = value end
  end
  local skip = front_matter_end(segment.lines)
  for i, entry in ipairs(segment.lines) do
    local text, at = entry.text, offset
    offset = offset + #text + 1
    local ticks = match(text, "^%s*(```+)") or match(text, "^%s*(~~~+)")
    local indent = #match(text, "^%s*")
    if i <= skip or #text > line_cap then
      flush()
    elseif fence then
      if ticks and sub(ticks, 1, 1) == sub(fence, 1, 1) and #ticks >= #fence then fence = nil end
    elseif ticks then
      flush()
      fence = ticks
    elseif comment then
      comment = not find(text, "-->", 1, true)
    elseif find(text, "^%s*<!%-%-") then
      flush()
      comment = not find(text, "-->", 1, true)
    elseif find(text, "^%s*$") then
      flush()
    elseif segment.kind == "log" and find(text, "^commit %x+") then
      flush()
      in_message = false
    elseif segment.kind == "log" and indent == 0 and find(text, "^%x%x%x%x%x%x%x+ ") then
      -- The subject tells what one change did.
      flush()
      in_message = true
    elseif segment.kind == "log" and not in_message then
      flush()
      if indent > 0 then in_message = true end
    elseif find(text, "^#+%s") and indent == 0 and not speaker_of(text) then
      flush()
      heading = match(text, "^#+%s+(.-)%s*#*$")
    elseif find(text, "^%s*>") or find(text, "^%s*|") or is_log(text) or find(text, "^%s*%-%-%-+%s*$") then
      flush()
    elseif segment.kind ~= "log" and indent >= 4 and (blank or not paragraph) and not find(text, "^%s+[%-%*%+%d]") then
      flush()
    else
      local who, rest = speaker_of(text)
      if who and (segment.kind == "chat" or find(text, "%*%*")) then
        speaker = who
        open()
        add_line(paragraph, sub(text, rest), entry, at + rest - 1)
      else
        local mark, body = match(text, "^%s*([%-%*%+•])%s+()")
        if not mark then mark, body = match(text, "^%s*(%d+[%.%)])%s+()") end
        if not mark then mark, body = match(text, "^%s*(%d%d%d%d%-%d%d%-%d%d:?)%s+[%-–:]?%s*()") end
        if mark then
          local box = match(text, "^%[[ xX]%]%s*()", body)
          open { list = true, ordered = find(mark, "^%d+[%.%)]") ~= nil, task = box ~= nil }
          add_line(paragraph, sub(text, box or body), entry, at + (box or body) - 1)
        elseif find(text, "^%s*%u[%w%-]+:%s") or not paragraph then
          open { label = true }
          add_line(paragraph, text, entry, at)
        else
          add_line(paragraph, text, entry, at)
        end
      end
    end
    blank = find(text, "^%s*$") ~= nil
  end
  flush()
  return units
end

return M
