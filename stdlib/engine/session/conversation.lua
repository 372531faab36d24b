--- Recognises an agent's conversation on a screen by the messages of the user and the agent.
--- Folder, model, version and warnings do not count, because an agent prints them at every start.
local M = {}

-- A short line identifies a conversation only if a prompt mark precedes it on both screens.
local shortest = 8
local shortest_part = 12  -- minimum length of the part, if only a part of a wrapped line matches
local shortest_unmarked = 24  -- minimum length of an agent's line without a prompt mark
local transcript_tail, folder_depth = 256 << 10, 4

local function squeezed(text) return (text:gsub("[^%w\128-\255]+", "")) end

--- Returns a message's line without the mark that the agent prints before it; nil without a mark.
local function without_mark(line, grammar)
  for _, pattern in ipairs(grammar.resume.said) do
    local text = line:match(pattern)
    if text then
      for _, other in ipairs(grammar.resume.unsaid) do
        if text:find(other) then return nil end
      end
      return text
    end
  end
end

--- Returns the lines of a screen except the cursor's, which may show a placeholder.
local function lines_of(facts)
  local lines = table.move(facts.history, 1, #facts.history, 1, {})
  local cursor = facts.cursor and facts.cursor.row + 1
  for row, line in ipairs(facts.lines) do
    if row ~= cursor then lines[#lines + 1] = line end
  end
  return lines
end

local function is_inside(list, key)
  for _, text in ipairs(list) do
    if text:find(key, 1, true) then return true end
  end
  return false
end

---@class moonlet.Conversation   texts in the form that squeezed() returns
---@field marked string[]  lines after a mark on the old screen
---@field texts string[]   lines of the transcript
---@field typed string[]   lines that the user typed
---@field starts string[]  texts that an agent may print at every start

--- Collects the lines that identify a conversation, without those in `printed`.
---@return moonlet.Conversation
function M.known(facts, grammar, typed, texts, printed)
  local starts = {}
  for i, word in ipairs(printed) do starts[i] = squeezed(word) end
  local function add(list, text, least)
    local key = squeezed(text)
    if #key >= least and not is_inside(starts, key) then list[#list + 1] = key end
  end
  local known = { marked = {}, texts = {}, typed = {}, starts = starts }
  for _, line in ipairs(grammar and lines_of(facts) or {}) do
    local text = without_mark(line, grammar)
    if text then add(known.marked, text, 2) end
  end
  for _, text in ipairs(texts) do
    for line in text:gmatch "[^\n]+" do add(known.texts, line, shortest) end
  end
  for _, text in ipairs(typed) do
    for line in text:gmatch "[^\n]+" do add(known.typed, line, shortest) end
  end
  return known
end

function M.count(known) return #known.marked + #known.texts + #known.typed end

local function begins(text, part) return #part >= shortest_part and text:sub(1, #part) == part end

--- Reports whether a marked line equals an entry of `list`, or one begins with the other.
local function is_among(list, key)
  for _, text in ipairs(list) do
    if text == key or begins(text, key) or begins(key, text) then return true end
  end
  return false
end

local function ends_with_one(list, key)
  for _, text in ipairs(list) do
    if key:sub(-#text) == text then return true end
  end
  return false
end

function M.find(known, facts, grammar)
  for _, line in ipairs(lines_of(facts)) do
    local marked = grammar and without_mark(line, grammar)
    local key = squeezed(marked or line)
    local is_known = marked and #key > 0
      and (is_among(known.marked, key) or is_among(known.texts, key))
      or #key >= shortest_unmarked and is_inside(known.texts, key)
        and not is_inside(known.starts, key)
      or #key >= shortest and ends_with_one(known.typed, key)
    if is_known then return (line:gsub("^%s+", ""):gsub("%s+$", "")) end
  end
end

local function find_file(root, folder, ending, depth)
  local entries = core.file.list(root, folder) or {}
  for i = #entries, 1, -1 do
    local name, path = entries[i].name, folder .. "/" .. entries[i].name
    if entries[i].type == "file" and name:sub(-#ending) == ending then return path end
    local found = entries[i].type == "directory" and depth > 1
      and find_file(root, path, ending, depth - 1)
    if found then return found end
  end
end

---@class moonlet.Transcript
---@field root any
---@field path string
---@field size integer

--- Returns nil if the agent writes no transcript of the conversation.
---@param id string  id of the conversation
---@return moonlet.Transcript?
function M.transcript(grammar, id)
  local where = grammar.resume.transcript
  local base, home = core.system.env(where.variable), core.system.env "HOME"
  if not base or base == "" then base = home and home .. "/" .. where.folder end
  local root = base and core.file.root(base)
  local path = root and find_file(root, where.beneath, id .. ".jsonl", folder_depth)
  local info = path and core.file.stat(root, path)
  return info and { root = root, path = path, size = info.size } or nil
end

function M.has_grown(transcript)
  local info = core.file.stat(transcript.root, transcript.path)
  return info ~= nil and info.size > transcript.size
end

function M.texts(content)
  if type(content) == "string" then return { content } end
  local list = {}
  for _, block in ipairs(type(content) == "table" and content or {}) do
    local text = type(block) == "table" and block.text
    if type(text) == "string" then list[#list + 1] = text end
  end
  return list
end

function M.messages(transcript, grammar)
  local from = math.max(0, transcript.size - transcript_tail)
  local bytes = core.file.part(transcript.root, transcript.path, from, transcript_tail) or ""
  local texts = {}
  for line in bytes:gmatch "[^\n]+" do
    local ok, entry = pcall(core.json.decode, line)
    local content = ok and type(entry) == "table" and grammar.resume.transcript.message(entry)
    local text = content and table.concat(M.texts(content), "\n") or ""
    if text ~= "" and not text:find "^<" and not text:find "^# AGENTS%.md" then
      texts[#texts + 1] = text
    end
  end
  return texts
end

return M
