--- Wishes in other languages than English: German, French, Spanish, Italian, Portuguese, Dutch. They keep their
--- wording; the words for always, never, please, must, instead of mark a wish.
local tongues_data = require "tongues_data"
local W = require "words"
local wording = require "wording"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

local LETTERS = "[%w\128-\255]"

--- Lower case, also of the letters with accents that these languages have.
---@param text string
---@return string
function M.fold(text)
  return (gsub(lower(text), "\195([\128-\158])", function(byte)
    return "\195" .. string.char(string.byte(byte) + 32)
  end))
end

local LANGUAGES = tongues_data.languages

local function has(padded, patterns)
  for i = 1, #patterns do
    if find(padded, "%f[%w\128-\255]" .. patterns[i] .. "%f[^%w\128-\255]") then return true end
  end
  return false
end

--- The language of a sentence that is not English, or nil.
---@param low string of fold
---@return table? language
function M.language(low)
  local english, best, most = 0, nil, 0
  local words = 0
  for word in string.gmatch(low, LETTERS .. "+") do
    words = words + 1
    if W.english[word] then english = english + 1 end
  end
  for _, language in ipairs(LANGUAGES) do
    local count = 0
    for word in string.gmatch(low, LETTERS .. "+") do
      if language.small[word] then count = count + 1 end
    end
    if count > most then best, most = language, count end
  end
  if not best or most <= english then return nil end
  if most * 8 < words or most < 2 and words > 4 and not find(low, "[\195-\197]") then return nil end
  return best
end

local LEADS = tongues_data.leads

local function without_leads(text, marks)
  for _ = 1, 3 do
    local low = M.fold(text)
    for i = 1, #LEADS do
      local _, last = find(low, LEADS[i])
      if last then
        if find(LEADS[i], ":") then marks.label = true end
        text = sub(text, last + 1)
        break
      end
    end
  end
  return text
end

--- The wish of a sentence in another language, or nil; the second result is true if it is in another language.
---@param text string veiled and plain
---@param unit table
---@param marks table
---@return {form: string, text: string}? result, boolean foreign
function M.read(text, unit, marks)
  local low = M.fold(text)
  local language = M.language(low)
  if not language then return nil, false end
  text = without_leads(text, marks)
  low = M.fold(text)
  local bare = gsub(low, "[%.!]+$", "")
  if find(text, "%?%W*$") or has(bare, language.once) or has(bare, language.past) then return nil, true end
  local count = wording.words_in(bare)
  if count < 2 or count > 40 then return nil, true end
  local first = match(bare, "^" .. LETTERS .. "+") or ""
  local last = match(bare, "(" .. LETTERS .. "+)$") or ""
  local request = find(bare, language.request) or find(bare, "%f[%w]bitte%f[%W]")
  local general = unit.level == "rules" or unit.kind == "instructions" or unit.kind == "memory"
  local sure
  if has(bare, language.strong) then
    sure, marks.strong = true, true
  elseif has(bare, language.wish) then
    sure, marks.preference = true, true
    if find(bare, "%f[%w]ich%f[%W]") or find(bare, "^je ") or find(bare, "^j'") then marks.user = true end
  elseif find(bare, language.no) and (unit.list or general or unit.kind == "chat")
    or language.no_order and find(bare, language.no_order) then
    sure, marks.strong = true, true
  elseif language.orders[first] and (general or unit.list) then
    sure = true
  elseif request and (general or unit.list or find(last, language.ends_order or "r$")) then
    sure, marks.request = true, true
  elseif has(bare, language.should) and (general or unit.list or unit.kind == "decision" or unit.kind == "review"
    or unit.kind == "guide" or marks.label) then
    sure, marks.should = true, true
  elseif has(bare, language.habit) and (general or unit.list or unit.kind == "decision" or marks.label) then
    sure, marks.habit = true, true
  elseif marks.label and count >= 3 then
    sure = true
  elseif unit.level == "rules" and count >= 3 and not find(text, ":%s*$") then
    -- Under such a heading a sentence in the present is a rule, unless it is about one thing.
    local one = find(bare, "^de[rn] ") or find(bare, "^das ") or find(bare, "^die ") or find(bare, "^unser")
      or find(bare, "^l[ea] ") or find(bare, "^el ") or find(bare, "^il ")
    sure = not one or nil
    marks.habit = sure
  end
  if not sure then return nil, true end
  if find(" " .. bare, " nicht ") or find(" " .. bare, " keine?[nrm]? ") or find(" " .. bare, " nie%l* ")
    or find(" " .. bare, " n[eo]n? ") or find(" " .. bare, " nunca ") or find(" " .. bare, " jamais ")
    or find(" " .. bare, " geen ") or find(" " .. bare, " nooit ") or find(" " .. bare, " vermeid")
    or find(" " .. bare, " [ée]vit") then
    marks.negative = true
  end
  return { form = marks.negative and "dont" or "do", text = text, language = language.name }, true
end

return M
