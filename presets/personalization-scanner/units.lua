--- Turns inputs into sentences with their places. Quotations, logs, code, and words of somebody other than the user
--- never become one; a sentence with private text has its class.
local paths = require "moonlet.paths"
local context = require "context"
local json = require("moonlet").json
local privacy = require "privacy"
local set = require("moonlet.text").set
local structured = require "structured"
local talk = require "talk"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local line_cap = 4000
local paragraph_cap = 8000

local INSTRUCTIONS = { "agents%.md$", "claude[%w%.%-]*%.md$", "gemini%.md$", "copilot%-instructions", "cursorrules$",
  "windsurfrules$", "clinerules$", "%.cursor/", "convention", "guideline", "style[%w_%-]*%.md$",
  "style[%w_%-]*%.rst$", "style[%w_%-]*%.txt$", "rules%.mdc?$", "skill%.md$", "playbook", "house[-_]rules" }

local MEMORY = { "memor", "preference", "feedback", "lesson", "learning", "remember", "profile", "about[-_ ]me",
  "about[-_ ]the[-_ ]user", "working[-_ ]with", "likes", "habits" }
local DATA = set "json jsonc json5 yaml yml toml ini cfg"
-- Data for programs, in which people keep no notes.
local MACHINES = { "package%.json$", "package%-lock", "composer%.", "tsconfig", "%.lock$", "pnpm%-",
  "docker%-compose", "compose%.ya?ml$", "%.github/workflows", "%.gitlab%-ci", "mkdocs%.ya?ml$", "openapi", "swagger",
  "pyproject%.toml$", "cargo%.toml$", "%.eslintrc", "%.prettierrc", "manifest%.json$", "launch%.json$",
  "chart%.ya?ml$", "values%.ya?ml$" }

local function any(text, patterns)
  for i = 1, #patterns do
    if find(text, patterns[i]) then return true end
  end
  return false
end

--- The kind of document of an input: instructions, guide, memory, decision, review, chat, log, notes; nil if it holds
--- no prose.
---@param path string
---@param text string
---@return string?
function M.kind(path, text)
  local low = lower(path)
  local name = match(low, "[^/]*$")
  local ext = match(name, "%.([^%.]+)$")
  if paths.describe(path).kind == "code" then return nil end
  if any(low, INSTRUCTIONS) then return "instructions" end
  if find(low, "contributing") or find(low, "hacking%.") then return "guide" end
  if DATA[ext] and any(low, MACHINES) then return nil end
  if find(low, "%.jsonl$") or find(low, "%.ndjson$") then return find(text, '"%a+"%s*:') and "chat" or nil end
  if DATA[ext] then return any(low, MEMORY) and "memory" or context.file(path) and "instructions" or "notes" end
  local first = sub(text, 1, 4000)
  if find("\n" .. first, "\ncommit %x%x%x%x%x%x%x+") or find(low, "git[-_ ]log") or find(name, "^commits") then
    return "log"
  end
  if find(name, "decision") or find(low, "decisions?/") or find(low, "%f[%w]adrs?/") or find(low, "^adr") then
    return "decision"
  end
  if any(low, MEMORY) then return "memory" end
  if find(low, "transcript") or find(low, "chat") or find(low, "session") or find(low, "conversation")
    or find("\n" .. first, "\n[%*#%s]*User[%*%s]*:") or find("\n" .. first, "\n[%*#%s]*Human[%*%s]*:") then
    return "chat"
  end
  if find(low, "review") or find(low, "%f[%w]pr%-%d") then return "review" end
  if context.file(path) and paths.describe(path).kind == "docs" then return "instructions" end
  local d = paths.describe(path)
  if d.kind == "docs" or d.kind == "unknown" or d.ext == "log" then return "notes" end
  return nil
end

--- Lines of a text with their numbers.
local function numbered(text)
  local lines, number = {}, 0
  for line in string.gmatch(gsub(text, "^\239\187\191", "") .. "\n", "([^\n]*)\n") do
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

local function spoken(record, line, segments, path)
  if type(record) ~= "table" then return end
  local speaker
  for _, key in ipairs(SPEAKS) do
    speaker = speaker or (type(record[key]) == "string" and lower(record[key])) or nil
  end
  if speaker == nil and type(record.message) == "table" then speaker = record.message.role end
  local text = said(record)
  if text and talk.user[speaker] then
    local lines = {}
    for piece in string.gmatch(text .. "\n", "([^\n]*)\n") do lines[#lines + 1] = { text = piece, line = line } end
    segments[#segments + 1] = { path = path, kind = "chat", lines = lines, speaker = "user" }
  end
end

local function decode(text)
  local ok, value = pcall(json.decode, text)
  if ok then return value end
end

-- The line of a record's text, in a document whose texts are known.
local function line_of(entries, record, from)
  local words = said(record)
  for i = from, words and #entries or 0 do
    local text = entries[i].text
    if text == words or text ~= "" and sub(words, 1, #text) == text then return entries[i].line, i end
  end
  return entries[from] and entries[from].line or 1, from
end

local function has_speaker(record)
  if type(record) ~= "table" then return false end
  for _, key in ipairs { "role", "from", "speaker", "author", "sender" } do
    if type(record[key]) == "string" then return true end
  end
  return false
end

-- Notes that are kept as data; each text stands alone.
local function data_segments(input, kind, entries, segments)
  for _, entry in ipairs(entries) do
    local text, heading = structured.told(entry)
    if text and find(text, "%a") then
      segments[#segments + 1] = { path = input.path, kind = kind, lines = { { text = text, line = entry.line } },
        heading = heading, level = context.of(heading) or context.file(input.path) and "rules" or nil, list = true,
        class = entry.of and entry.of.private and "personal" or nil,
        raw = (entry.keys[#entry.keys] or "") .. ": " .. entry.text }
    end
  end
end

local function json_segments(input, kind, segments)
  local lines = find(lower(input.path), "%.jsonl$") or find(lower(input.path), "%.ndjson$")
  local whole = not lines and decode(input.text) or nil
  local records = type(whole) == "table" and (whole[1] ~= nil and whole or type(whole.messages) == "table"
    and whole.messages) or nil
  if records and (has_speaker(records[1]) or has_speaker(records[2])) then
    local entries, at = structured.json(input.text), 1
    for _, record in ipairs(records) do
      if type(record) == "table" then
        local line
        line, at = line_of(entries, record, at)
        spoken(record, line, segments, input.path)
      end
    end
    return
  end
  if lines or whole == nil then
    for _, entry in ipairs(numbered(input.text)) do
      if sub(entry.text, 1, 1) == "{" then spoken(decode(entry.text), entry.line, segments, input.path) end
    end
    if lines then return end
  end
  if #segments == 0 then data_segments(input, kind, structured.json(input.text), segments) end
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

--- The parts of an input that are read: {path, kind, lines = {{text, line}}, speaker}.
---@param input table of ctx.inputs
---@return table[] segments, string? the reason if none is read
function M.segments(input)
  local segments = {}
  if input.binary then return segments, "binary" end
  if input.kind == "diff" then
    diff_segments(input, segments)
    return segments, #segments == 0 and "adds nothing to prose" or nil
  end
  local kind = M.kind(input.path, input.text)
  if not kind then return segments, "no prose" end
  local ext = match(lower(input.path), "%.(%w+)$")
  if ext == "json" or ext == "jsonl" or ext == "ndjson" or ext == "jsonc" or ext == "json5" then
    json_segments(input, kind, segments)
    return segments, #segments == 0 and "nothing in it is said by the user" or nil
  end
  if ext == "yaml" or ext == "yml" then
    data_segments(input, kind, structured.yaml(numbered(input.text)), segments)
    return segments
  end
  if DATA[ext] then
    data_segments(input, kind, structured.toml(numbered(input.text)), segments)
    return segments
  end
  segments[1] = { path = input.path, kind = kind, lines = numbered(input.text) }
  return segments
end

local LEVELS = set "TRACE DEBUG INFO NOTICE WARN WARNING ERROR FATAL CRITICAL PANIC"

local function is_log(text)
  return find(text, "^%s*%-%-%-%-%-[BE]") ~= nil or #text >= 40 and find(text, "^%s*[%w+/=]+%s*$") ~= nil
    or find(text, "^%s*%[?%d%d%d%d%-%d%d%-%d%d[T ]%d%d:%d%d") ~= nil
    or find(text, "^%s*%[?%d%d:%d%d:%d%d") ~= nil or find(text, "^%s*%u%l%l %s?%d+ %d%d:%d%d:%d%d") ~= nil
    or LEVELS[match(text, "^%s*%[?(%u+)%]?[:%s]") or ""] ~= nil
    or find(text, "^%s*[%$%%#>] %l") ~= nil and not find(text, "^%s*# ") or find(text, "^%s*at [%w%.$_]+%(") ~= nil
    or find(text, "^%s*%l+[%w_%.%-]*%[%d+%]:") ~= nil or find(text, "^%s*[%w_/%.%-]+:%d+:%d*:? ") ~= nil
    or find(text, "^%s*>>> ") ~= nil or find(text, "^Traceback ") ~= nil
end

local ABBREVIATIONS = set [[e.g i.e vs etc dr mr mrs ms prof no nr fig eq approx resp cf al st incl max min z.b d.h
  u.a bzw ca ggf evtl inkl usw p.ej p ej sog vgl]]
local MONTHS = set [[januar februar märz april mai juni juli august september oktober november dezember quartal
  januari februari maart mei]]

local BEGINS = set [[We The This It In If Use Never Always No Do Don You Please When Every All They There And But Also
  Avoid]]

-- "4. April" is a day and "2. Quartal" one of four.
local function is_ordinal(text, at)
  return find(sub(text, math.max(1, at - 3), at - 1), "%f[%d]%d%d?$") ~= nil
    and (MONTHS[lower(match(sub(text, at + 1, at + 16), "^%s+([%a\128-\255]+)") or "")] or find(text, "^%s+%l", at + 1))
end

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
      local word = lower(match(sub(text, math.max(1, at - 12), at - 1), "[%w%.\128-\255]*$"))
      -- An initial, unless a new sentence plainly begins.
      local initial = find(word, "^%a$") and not BEGINS[match(text, "^%s+(%u%l*)", at + 1) or ""]
      local abbreviation = char == "." and (ABBREVIATIONS[word] or initial or is_ordinal(text, at))
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

-- A paragraph: text, and for each of its lines its start in the text, its number and its offset in the segment.
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
    local named = #text
    text = talk.unnamed(text, segment.speakers)
    start = start + named - #text
    if find(text, "[%a\128-\255]") then
      local line, first = place_of(paragraph, start)
      local _, last = place_of(paragraph, to)
      units[#units + 1] = { text = text, line = line, path = segment.path, kind = segment.kind,
        class = segment.class or class_between(hits, first, last), heading = paragraph.heading, list = paragraph.list,
        ordered = paragraph.ordered, task = paragraph.task, speaker = paragraph.speaker, level = paragraph.level,
        paragraph = paragraph }
      if units[#units].class then paragraph.private = true end
    end
    from = to + 1
  end
end

-- Sentences that make a rule of the sentence before them.
local ECHOES = { "^i never want that", "^i always want that", "^i never want this", "^always%W*$", "^every time%W*$",
  "^always do that", "^we do this everywhere", "^we do that everywhere", "^we always do", "^this goes for all",
  "^that goes for all", "^same for all", "^this applies to all", "^this applies everywhere", "^as always%W*$",
  "^every single time", "^in general%W*$", "^everywhere%W*$", "^i mean always", "^that's a rule", "^this is a rule" }

local function mark_echoes(units, from)
  for i = math.max(2, from), #units do
    local before, low = units[i - 1], lower(units[i].text)
    if before.paragraph == units[i].paragraph then
      for _, pattern in ipairs(ECHOES) do before.general = before.general or find(low, pattern) ~= nil end
    end
  end
end

local OVER = { "superseded", "deprecated", "obsolete", "withdrawn", "rejected" }

-- A record of a decision that holds no longer. A sidecar's proposal can be rejected for a reason that holds.
local function is_over(segment)
  local sidecar = find(segment.path, "decision%.md$") ~= nil
  for i = 1, math.min(#segment.lines, 30) do
    local status = match(lower(segment.lines[i].text), "^%W*status%W*:%W*(.*)")
    for _, word in ipairs(status and OVER or {}) do
      if find(status, word, 1, true) and not (sidecar and word == "rejected") then return true end
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

-- The shape of a line of prose: "text", or the kind of a line that is none.
local function shape(text, indent, state, segment)
  if find(text, "^%s*$") then return "blank" end
  if find(text, "^%s*<!%-%-") then return "comment" end
  if segment.kind == "log" then
    if find(text, "^commit %x+") then return "commit" end
    if indent == 0 and find(text, "^%x%x%x%x%x%x%x+ ") then return "subject" end
    if not state.in_message then return "header" end
  end
  if find(text, "^#+%s") and indent == 0 and not talk.role(text) then return "heading" end
  if find(text, "^%s*>") or find(text, "^%s*|") or find(text, "^%s*%-%-%-+%s*$") then return "skip" end
  if not segment.speakers and is_log(text) then return "skip" end
  if segment.kind ~= "log" and indent >= 4 and (state.blank or not state.paragraph)
    and not find(text, "^%s+[%-%*%+%d]") then
    return "skip"
  end
  return "text"
end

-- A row of a table with a column that is headed as rules are.
local function table_cell(text, state)
  local cells = {}
  for cell in string.gmatch(match(text, "^%s*|(.*)$"), "([^|]*)|?") do
    cells[#cells + 1] = match(cell, "^%s*(.-)%s*$")
  end
  if find(text, "^[%s|:%-]+$") then return nil end
  if not state.columns then
    state.columns = {}
    for i, cell in ipairs(cells) do
      if context.of(cell) == "rules" then state.columns[i] = true end
    end
    return nil
  end
  for i, cell in ipairs(cells) do
    if state.columns[i] and cell ~= "" then return cell, find(text, cell, 1, true) end
  end
end

local Reader = {}
Reader.__index = Reader

function Reader:flush()
  local paragraph = self.paragraph
  self.paragraph = nil
  if not paragraph or paragraph.text == "" then return end
  -- "Things to keep doing:" is a heading for the list that follows.
  if not paragraph.list then
    self.lead = find(paragraph.text, ":%W*$") and context.of(paragraph.text) or nil
  elseif self.lead then
    paragraph.level = self.lead
  end
  local from = #self.units
  cut_paragraph(paragraph, self.segment, self.hits, self.units)
  mark_echoes(self.units, from)
end

function Reader:open(fields)
  self:flush()
  self.paragraph = { text = "", marks = {}, heading = self.heading, speaker = self.speaker, level = self.level }
  for key, value in pairs(fields or {}) do self.paragraph[key] = value end
end

function Reader:title(depth, text)
  self:flush()
  self.heading, self.level, self.lead = text, self.follow(depth, text), nil
end

function Reader:text(text, entry, at)
  local segment = self.segment
  local who, rest = nil, nil
  if segment.speakers then who, rest = talk.line(text, segment.speakers) end
  if not who then
    who, rest = talk.role(text)
    if who and segment.kind ~= "chat" and not find(text, "%*%*") then who = nil end
  end
  if who then
    self.speaker = who
    self:open()
    add_line(self.paragraph, sub(text, rest), entry, at + rest - 1)
    return
  end
  -- An index of memory: "feedback_tests.md — no mocks".
  local file, hook = match(text, "^%s*[%-%*]?%s*%[?([%w_%-]+%.md)%]?%(?[^%)%s]*%)?%s+[%-–—:]+%s+()")
  if file and segment.kind == "memory" then
    self:open { list = true, level = find(file, "^project") and "facts" or find(file, "^ref") and "facts"
      or context.of(gsub(file, "[_%.]", " ")) or self.level }
    return add_line(self.paragraph, sub(text, hook), entry, at + hook - 1)
  end
  local mark, body = match(text, "^%s*([%-%*%+•])%s+()")
  if not mark then mark, body = match(text, "^%s*(%d+[%.%)])%s+()") end
  if not mark then mark, body = match(text, "^%s*(%d%d%d%d%-%d%d%-%d%d:?)%s+[%-–:]?%s*()") end
  if mark then
    local box = match(text, "^%[[ xX]%]%s*()", body)
    self:open { list = true, ordered = find(mark, "^%d+[%.%)]") ~= nil, task = box ~= nil }
    add_line(self.paragraph, sub(text, box or body), entry, at + (box or body) - 1)
  else
    -- In a file of rules a line is one, without a mark.
    local alone = find(segment.path, "rules$") and find(text, "^%u")
    if find(text, "^%s*%u[%w%-]+:%s") or alone or not self.paragraph then
      self:open { label = true, list = alone or nil }
    end
    add_line(self.paragraph, text, entry, at)
  end
end

function Reader:fenced(text)
  local ticks = match(text, "^%s*(```+)") or match(text, "^%s*(~~~+)")
  if self.fence then
    if ticks and sub(ticks, 1, 1) == sub(self.fence, 1, 1) and #ticks >= #self.fence then self.fence = nil end
    return true
  end
  if ticks then
    self:flush()
    self.fence = ticks
  end
  return ticks ~= nil
end

function Reader:line(i, entry, at)
  local text = entry.text
  if i <= self.skip or #text > line_cap then return self:flush() end
  if self:fenced(text) then return end
  if self.comment then
    self.comment = not find(text, "-->", 1, true)
    return
  end
  -- The subject of a mail is its heading.
  local subject = self.segment.kind == "notes" and match(text, "^Subject:%s+(.+)$")
  if subject then return self:title(1, gsub(gsub(subject, "^[Rr][Ee]:%s*", ""), "%s+$", "")) end
  local below = self.segment.lines[i + 1]
  if below and self.blank and find(below.text, "^%s*[=%-][=%-][=%-]+%s*$") and find(text, "^%w") and #text < 100 then
    return self:title(find(below.text, "=", 1, true) and 1 or 2, match(text, "^(.-)%s*$"))
  end
  if find(text, "^%s*[=%-][=%-][=%-]+%s*$") then return self:flush() end
  -- A word or two right above a list are its heading.
  if below and self.blank and find(text, "^%u[%w' ]*:?%s*$") and #text < 40 and find(below.text, "^%s*[%-%*%+•]%s") then
    return self:title(6, match(text, "^(.-):?%s*$"))
  end
  local what = shape(text, #match(text, "^%s*"), self, self.segment)
  if what == "comment" then self.comment = not find(text, "-->", 1, true) end
  if what == "commit" then self.in_message = false end
  if what == "header" and find(text, "^%s") then self.in_message = true end
  -- The subject of a commit describes one change.
  if what == "subject" then self.in_message = true end
  if not find(text, "^%s*|") then self.columns = nil end
  if what == "heading" then
    self:title(#match(text, "^#+"), match(text, "^#+%s+(.-)%s*#*$"))
  elseif what == "text" then
    self:text(text, entry, at)
  else
    self:flush()
    local cell, from = nil, nil
    if what == "skip" and find(text, "^%s*|") then cell, from = table_cell(text, self) end
    if cell then
      self:open { list = true, level = "rules" }
      add_line(self.paragraph, cell, entry, at + from - 1)
      self:flush()
    end
  end
end

--- The sentences of a segment.
---@param segment table
---@param names string[] words of names that are known
---@return table[] units
function M.units(segment, names)
  local units, texts = {}, {}
  for i, entry in ipairs(segment.lines) do texts[i] = entry.text end
  local whole = table.concat(texts, "\n")
  if is_over(segment) then return units end
  if segment.raw and not segment.class then segment.class = privacy.holds(segment.raw, { names = names }) end
  if not segment.speaker and (segment.kind == "chat" or segment.kind == "notes") then
    segment.speakers = talk.speakers(segment.lines)
    if segment.speakers then segment.kind = "chat" end
  end
  local base = segment.level or context.file(segment.path) and "rules" or nil
  local reader = setmetatable({ segment = segment, units = units, hits = privacy.scan(whole, { names = names }),
    follow = context.follow(base), level = base, heading = segment.heading, speaker = segment.speaker, blank = true,
    in_message = false, skip = front_matter_end(segment.lines) }, Reader)
  local at = 1
  for i, entry in ipairs(segment.lines) do
    if segment.list then reader:open { list = true } end
    reader:line(i, entry, at)
    at = at + #entry.text + 1
    reader.blank = find(entry.text, "^%s*$") ~= nil
  end
  reader:flush()
  return units
end

return M
