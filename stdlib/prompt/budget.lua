--- A prompt within a budget of tokens: parts with a priority, of which the lowest are left out first. The tokens are an
--- estimate, by bytes. The prompt names the parts left out, and the record of the call keeps them. The parts of the
--- newest prompts are remembered by their text, so that a smaller budget can be applied to the text later.
local record = require "moonlet.record"

local concat, format = table.concat, string.format

local M = {}

local PART = { name = "string!", text = "string!", priority = "number", required = "boolean" }
local bytes_a_token = 4

---@class moonlet.prompt.Cut
---@field name string
---@field tokens integer  an estimate

---@class moonlet.prompt.Composed
---@field tokens integer    an estimate
---@field budget integer?
---@field cut moonlet.prompt.Cut[]  what was left out, the lowest priority first

--- The estimate of a text's tokens. Characters beyond ASCII count as one each: scripts without spaces need that many.
---@param text string
---@return integer
function M.tokens(text)
  local ascii = select(2, string.gsub(text, "[\0-\127]", ""))
  local others = select(2, string.gsub(text, "[\xc2-\xf4]", ""))
  return (ascii + bytes_a_token - 1) // bytes_a_token + others
end

local function check(options)
  record.check(options, { parts = "list!", budget = "integer" }, "prompt.compose")
  if options.budget and options.budget < 1 then
    error(record.invalid(format("prompt.compose: a budget of %d tokens holds nothing", options.budget),
      "give a whole number, 1 or more"), 0)
  end
  local seen, parts = {}, {}
  for i, part in ipairs(options.parts) do
    record.check(part, PART, format("prompt.compose: parts[%d]", i))
    if seen[part.name] then
      error(record.invalid(format("prompt.compose: two parts are called '%s'", core.text.printable(part.name, 80)),
        "name each part once: what is left out is listed by name"), 0)
    end
    seen[part.name] = true
    local priority = part.priority or 0
    if priority ~= priority then
      error(record.invalid(format("prompt.compose: parts[%d].priority is no number", i)), 0)
    end
    parts[i] = { name = part.name, text = part.text, priority = priority,
      required = part.required or false }
  end
  return parts
end

-- The note that stands in the prompt: with the names, or where that is too long with their number.
local function note_of(cut, budget, short)
  if #cut == 0 then return nil end
  if short then return format("[%d %s left out]", #cut, #cut == 1 and "part" or "parts") end
  local names = {}
  for i, part in ipairs(cut) do
    names[i] = format("%s (about %d tokens)", core.text.printable(part.name, 80), M.tokens(part.text))
  end
  return format("[Left out, to keep this prompt within %d tokens (an estimate): %s]", budget, concat(names, "; "))
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
    if part.required then sum, names[#names + 1] = sum + M.tokens(part.text), core.text.printable(part.name, 80) end
  end
  error(record.invalid(format("the required parts of the prompt (%s) are about %d tokens, and its budget is %d",
    concat(names, ", "), sum, budget), "raise the budget, or shorten one of them"), 0)
end

-- Parts that may be left out, the lowest priority first; among equals the last one first.
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

--- The newest prompts of this process whose parts matter: one may be left out, or was.
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

local function is_divisible(parts)
  for _, part in ipairs(parts) do
    if not part.required and part.text ~= "" then return true end
  end
  return false
end

-- A text of parts, within a budget if there is one.
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

-- The same, and remembers it.
local function remembered_text(parts, budget)
  local text, told = made(parts, budget)
  if is_divisible(parts) then remember { text = text, parts = parts, told = told } end
  return text, told
end

--- Composes; see m.prompt.compose.
---@param options {parts: table[], budget: integer?}
---@return string, moonlet.prompt.Composed
function M.compose(options) return remembered_text(check(options), options.budget) end

--- Joins the parts of a prompt, of which each ends with a line break, and remembers them. Names may be equal.
---@param parts {name: string, text: string, priority: number?, required: boolean?}[]
---@return string
function M.join(parts)
  for _, part in ipairs(parts) do part.priority, part.required = part.priority or 0, part.required or false end
  return (remembered_text(parts))
end

-- The newest remembered prompt that is the text, or else the longest one inside it.
local function find(prompt)
  local best
  for _, entry in ipairs(remembered) do
    if entry.text == prompt then return entry, 1 end
    if #entry.text < #prompt and (not best or #entry.text > #best.text) and prompt:find(entry.text, 1, true) then
      best = entry
    end
  end
  if best then return best, (prompt:find(best.text, 1, true)) end
end

-- The parts of a prompt: those of the remembered prompt in it, and the text around them.
local function parts_of(prompt)
  local parts, entry, from = {}, find(prompt)
  local function add(text)
    if text:find "%S" then
      parts[#parts + 1] = { name = "the task", text = (text:gsub("^\n+", ""):gsub("\n+$", "\n")), priority = 0,
        required = true }
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

--- Fits a prompt, and the parts before it, into a budget. A prompt that fits stays as it is.
---@param prompt string
---@param budget integer
---@param before table[]?  parts with all fields
---@return string text  of all parts
---@return moonlet.prompt.Composed? told  nil if nothing was left out
function M.fit(prompt, budget, before)
  local parts = before or {}
  local whole = M.in_front(parts, prompt)
  if M.tokens(whole) <= budget then return whole, M.of(prompt) end
  local all = table.move(parts, 1, #parts, 1, {})
  for _, part in ipairs(parts_of(prompt)) do all[#all + 1] = part end
  return made(all, budget)
end

--- The smaller of two budgets; nil stands for none.
---@param one integer?
---@param other integer?
---@return integer?
function M.least(one, other) return one and other and math.min(one, other) or one or other end

--- The smallest budget that the prompts of a run have.
---@param options table   of its command line
---@param packet table?
---@param preset moonlet.Preset?
---@return integer?
function M.of_run(options, packet, preset)
  return M.least(options.prompt_tokens, M.least(packet and packet.prompt_tokens, preset and preset.prompt_tokens))
end

--- Raises unless a budget is one that a prompt can have.
---@param tokens integer?
---@param what string
function M.check_budget(tokens, what)
  if tokens == nil or tokens >= 1 then return end
  error(record.invalid(format("%s cannot be %d", what, tokens), "give a whole number of tokens, 1 or more"), 0)
end

--- A prompt with parts in front of it.
---@param parts table[]
---@param prompt string
---@return string
function M.in_front(parts, prompt)
  if not parts[1] then return prompt end
  return text_of(parts, {}, nil):gsub("\n+$", "") .. "\n\n" .. prompt
end

--- The parts left out of a prompt, also of one inside a composed prompt; nil when none was.
---@param prompt string
---@return moonlet.prompt.Composed?
function M.of(prompt)
  local best
  for _, entry in ipairs(remembered) do
    if entry.told.cut[1] and entry.text == prompt then return entry.told end
    if entry.told.cut[1] and not best and prompt:find(entry.text, 1, true) then best = entry.told end
  end
  return best
end

return M
