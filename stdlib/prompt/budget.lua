--- A prompt within a budget of tokens: parts with a priority, of which the lowest are left out first. The tokens are an
--- estimate, by bytes. The prompt names the parts left out, and the record of the call keeps them.
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
      required = part.required or false, place = i }
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
  error(record.invalid(format("prompt.compose: the required parts (%s) are about %d tokens, and the budget is %d",
    concat(names, ", "), sum, budget), "raise the budget, shorten a part, or let one go without required"), 0)
end

-- Parts that may be left out, the lowest priority first; among equals the last one first.
local function expendable(parts)
  local list = {}
  for _, part in ipairs(parts) do
    if not part.required and part.text ~= "" then list[#list + 1] = part end
  end
  table.sort(list, function(a, b)
    if a.priority ~= b.priority then return a.priority < b.priority end
    return a.place > b.place
  end)
  return list
end

local function fitted(parts, budget)
  local list, cut, gone = expendable(parts), {}, {}
  for taken = 0, #list do
    if taken > 0 then
      cut[taken] = list[taken]
      gone[list[taken]] = true
    end
    for _, short in ipairs { false, true } do
      local text = text_of(parts, gone, note_of(cut, budget, short))
      local tokens = M.tokens(text)
      if tokens <= budget then return text, tokens, cut end
    end
  end
  no_room(parts, budget)
end

--- The cuts of the prompts of this process, by their text.
---@type table<string, moonlet.prompt.Composed>
local composed = {}

--- Composes; see m.prompt.compose.
---@param options {parts: table[], budget: integer?}
---@return string, moonlet.prompt.Composed
function M.compose(options)
  local parts = check(options)
  local text, tokens, cut
  if options.budget then
    text, tokens, cut = fitted(parts, options.budget)
  else
    text = text_of(parts, {}, nil)
    tokens, cut = M.tokens(text), {}
  end
  local told = { tokens = tokens, budget = options.budget, cut = core.json.array {} }
  for i, part in ipairs(cut) do told.cut[i] = { name = part.name, tokens = M.tokens(part.text) } end
  if #cut > 0 then composed[text] = told end
  return text, told
end

--- The parts left out of a prompt, also of one inside a composed prompt; nil when none was.
---@param prompt string
---@return moonlet.prompt.Composed?
function M.of(prompt)
  if next(composed) == nil then return nil end
  if composed[prompt] then return composed[prompt] end
  for text, told in pairs(composed) do
    if string.find(prompt, text, 1, true) then return told end
  end
end

return M
