--- Fits a prompt into a token budget by dropping the parts with the lowest priority.
--- Tokens are estimated from bytes. The prompt and the record list the dropped parts.
--- Recent prompts are cached with their parts, so that a smaller budget can be applied later.
local record = require "moonlet.record"

local concat, format = table.concat, string.format

local M = {}

local PART = { name = "string!", text = "string!", priority = "number", required = "boolean" }
local bytes_a_token = 4

---@class moonlet.prompt.Cut
---@field name string
---@field tokens integer  estimated tokens of the part

---@class moonlet.prompt.Composed
---@field tokens integer    estimated tokens of the prompt
---@field budget integer?
---@field cut moonlet.prompt.Cut[]  dropped parts, lowest priority first

--- Estimates the tokens of a text. Each character beyond ASCII counts as one token.
--- Scripts without spaces between words need about one token for each character.
function M.tokens(text)
  local ascii = select(2, string.gsub(text, "[\0-\127]", ""))
  local others = select(2, string.gsub(text, "[\xc2-\xf4]", ""))
  return (ascii + bytes_a_token - 1) // bytes_a_token + others
end

local function check(options)
  record.check(options, { parts = "list!", budget = "integer" }, "prompt.compose")
  if options.budget and options.budget < 1 then
    record.refuse(format("prompt.compose: a budget of %d tokens holds nothing", options.budget),
      "give a whole number, 1 or more")
  end
  local seen, parts = {}, {}
  for i, part in ipairs(options.parts) do
    record.check(part, PART, format("prompt.compose: parts[%d]", i))
    if seen[part.name] then
      record.refuse(format("prompt.compose: two parts are called '%s'",
        core.text.printable(part.name, 80)),
        "name each part once: what is left out is listed by name")
    end
    seen[part.name] = true
    local priority = part.priority or 0
    if priority ~= priority then
      record.refuse(format("prompt.compose: parts[%d].priority is not a number", i))
    end
    parts[i] = { name = part.name, text = part.text, priority = priority,
      required = part.required or false }
  end
  return parts
end

-- Returns the prompt's note with the names of the dropped parts, or only their number.
local function note_of(cut, budget, short)
  if #cut == 0 then return nil end
  if short then return format("[%d %s left out]", #cut, #cut == 1 and "part" or "parts") end
  local names = {}
  for i, part in ipairs(cut) do
    names[i] = format("%s (about %d tokens)", core.text.printable(part.name, 80),
      M.tokens(part.text))
  end
  return format("[Left out, to keep this prompt within %d tokens (an estimate): %s]", budget,
    concat(names, "; "))
end

local function text_of(parts, gone, note)
  local texts = {}
  local function add(text)
    if text == "" then return end
    texts[#texts + 1] = text
    texts[#texts + 1] = text:sub(-1) == "\n" and "\n" or "\n\n"
  end
  for _, part in ipairs(parts) do add(gone[part] and "" or part.text) end
  add(note or "")
  return (concat(texts):gsub("\n\n$", "\n"))
end

local function no_room(parts, budget)
  local sum, names = 0, {}
  for _, part in ipairs(parts) do
    if part.required then
      sum, names[#names + 1] = sum + M.tokens(part.text), core.text.printable(part.name, 80)
    end
  end
  record.refuse(format(
    "the required parts of the prompt (%s) are about %d tokens, and its budget is %d",
    concat(names, ", "), sum, budget), "raise the budget, or shorten one of them")
end

-- Returns the parts that may be dropped, lowest priority first. Among parts of equal priority, the
-- last part of the prompt comes first.
local function expendable(parts)
  local list = {}
  for i, part in ipairs(parts) do
    if not part.required and part.text ~= "" then list[#list + 1] = { part = part, place = i } end
  end
  table.sort(list, function(a, b)
    if a.part.priority ~= b.part.priority then return a.part.priority < b.part.priority end
    return a.place > b.place
  end)
  return list
end

local function fitted(parts, budget)
  local list, cut, gone = expendable(parts), {}, {}
  for taken = 0, #list do
    if taken > 0 then
      cut[taken] = list[taken].part
      gone[cut[taken]] = true
    end
    for _, short in ipairs { false, true } do
      local text = text_of(parts, gone, note_of(cut, budget, short))
      local tokens = M.tokens(text)
      if tokens <= budget then return text, tokens, cut end
    end
  end
  no_room(parts, budget)
end

local most_remembered, most_bytes = 200, 2 << 20

---@class moonlet.prompt.Remembered
---@field text string
---@field parts table[]
---@field told moonlet.prompt.Composed

--- Caches the newest prompts of this process, so that parts of them can still be dropped.
---@type moonlet.prompt.Remembered[]
local remembered = {}

local function remember(entry)
  for i, other in ipairs(remembered) do
    if other.text == entry.text then
      table.remove(remembered, i)
      break
    end
  end
  table.insert(remembered, 1, entry)
  local bytes = 0
  for i, other in ipairs(remembered) do
    bytes = bytes + #other.text
    if i > 1 and (i > most_remembered or bytes > most_bytes) then
      for last = #remembered, i, -1 do remembered[last] = nil end
      return
    end
  end
end

local function made(parts, budget)
  local text, tokens, cut
  if budget then
    text, tokens, cut = fitted(parts, budget)
  else
    text = text_of(parts, {}, nil)
    tokens, cut = M.tokens(text), {}
  end
  local told = { tokens = tokens, budget = budget, cut = core.json.array {} }
  for i, part in ipairs(cut) do told.cut[i] = { name = part.name, tokens = M.tokens(part.text) } end
  return text, told
end

-- Joins parts into a text, and caches the parts so that a smaller budget can be applied later.
local function remembered_text(parts, budget)
  local text, told = made(parts, budget)
  if expendable(parts)[1] then remember { text = text, parts = parts, told = told } end
  return text, told
end

---@param options {parts: table[], budget: integer?}
---@return string, moonlet.prompt.Composed
function M.compose(options) return remembered_text(check(options), options.budget) end

--- Joins parts of a prompt and caches them. Each part ends with a line break; names may repeat.
---@param parts {name: string, text: string, priority: number?, required: boolean?}[]
function M.join(parts)
  for _, part in ipairs(parts) do
    part.priority, part.required = part.priority or 0, part.required or false
  end
  return (remembered_text(parts))
end

-- Finds the newest cached prompt that equals the text, or else the longest one that it contains.
local function find(prompt)
  local best
  for _, entry in ipairs(remembered) do
    if entry.text == prompt then return entry, 1 end
    if #entry.text < #prompt and (not best or #entry.text > #best.text)
        and prompt:find(entry.text, 1, true) then
      best = entry
    end
  end
  if best then return best, (prompt:find(best.text, 1, true)) end
end

-- Splits a prompt into the parts of a cached prompt and the text around it.
local function parts_of(prompt)
  local parts, entry, from = {}, find(prompt)
  local function add(text)
    if text:find "%S" then
      parts[#parts + 1] = { name = "the task", text = (text:gsub("^\n+", ""):gsub("\n+$", "\n")),
        priority = 0, required = true }
    end
  end
  if not entry then
    add(prompt)
    return parts
  end
  add(prompt:sub(1, from - 1))
  table.move(entry.parts, 1, #entry.parts, #parts + 1, parts)
  add(prompt:sub(from + #entry.text))
  return parts
end

--- Joins the parts `before` and a prompt. Drops parts only if the text exceeds the token budget.
---@param before table[]?  parts whose fields are all set
---@return string text  all parts, joined
---@return moonlet.prompt.Composed? told  nil if nothing was dropped
function M.fit(prompt, budget, before)
  local parts = before or {}
  local whole = M.in_front(parts, prompt)
  if M.tokens(whole) <= budget then return whole, M.of(prompt) end
  local all = table.move(parts, 1, #parts, 1, {})
  for _, part in ipairs(parts_of(prompt)) do all[#all + 1] = part end
  return made(all, budget)
end

--- Returns the smaller of two budgets; nil means no limit.
function M.least(one, other) return one and other and math.min(one, other) or one or other end

---@param options table   options of the run's command line
---@param preset moonlet.Preset?
function M.of_run(options, packet, preset)
  return M.least(options.prompt_tokens,
    M.least(packet and packet.prompt_tokens, preset and preset.prompt_tokens))
end

function M.check_budget(tokens, what)
  if tokens == nil or tokens >= 1 then return end
  record.refuse(format("%s cannot be %d", what, tokens), "give a whole number of tokens, 1 or more")
end

--- Puts parts in front of a prompt and returns the text.
function M.in_front(parts, prompt)
  if not parts[1] then return prompt end
  return text_of(parts, {}, nil):gsub("\n+$", "") .. "\n\n" .. prompt
end

--- Returns the parts that were dropped from a prompt, or from a cached prompt inside it; or nil.
---@return moonlet.prompt.Composed?
function M.of(prompt)
  local best
  for _, entry in ipairs(remembered) do
    if entry.told.cut[1] and entry.text == prompt then return entry.told end
    if entry.told.cut[1] and not best and prompt:find(entry.text, 1, true) then
      best = entry.told
    end
  end
  return best
end

return M
