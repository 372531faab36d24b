--- Checks the evidence of a preference, `path:line: words`.
--- Evidence must name an input, a line that the agent received, and words on that line.
local m = require "moonlet"

local lower, match, sub = string.lower, string.match, string.sub

local M = {}

local function plain(text) return match(lower(text):gsub("[%p%s]+", " "), "^ ?(.-) ?$") end

-- Reports whether a line and a preference have a word in common, by its first four letters.
local function share_a_word(line, text)
  local words = {}
  for word in string.gmatch(lower(line), "[%a\128-\255]+") do words[sub(word, 1, 4)] = true end
  for word in string.gmatch(lower(text), "[%a\128-\255]+") do
    if #word >= 4 and words[sub(word, 1, 4)] then return true end
  end
  return false
end

-- Reports whether the line contains the quoted words.
-- If the quote is short or missing, line and preference must have a word in common.
local function supports(line, words, text)
  local quote = plain(words)
  if #quote < 12 and not share_a_word(line, text) then return false end
  return #quote < 4 or (" " .. plain(line) .. " "):find(" " .. quote .. " ", 1, true) ~= nil
end

-- Returns `path:line` if the agent received that line and the line supports the preference `text`.
-- Otherwise returns nil.
local function place_of(evidence, text, inputs)
  for _, input in ipairs(inputs) do
    if sub(evidence, 1, #input.label + 1) == input.label .. ":" then
      local number, words = match(sub(evidence, #input.label + 2), "^(%d+)(.*)$")
      local line = number and input.lines[math.tointeger(tonumber(number))]
      if line and line:find "%w" and supports(line, words, text) then
        return ("%s:%d"):format(input.label, number)
      end
    end
  end
end

--- Reports whether a text contains a number or a capitalized word that is not in the prompt.
--- Ignores the first word of each sentence, which is always capitalized.
function M.invents(text, prompt)
  for mark, word in string.gmatch(text, "(%S)%s+([%u%d][%w\128-\255]*)") do
    local known = prompt:find("%f[%w\128-\255]" .. lower(word) .. "%f[^%w\128-\255]")
    if not known and not mark:find "[.!?:]" then return true end
  end
  return false
end

--- Returns the places in `known` and the valid places that a preference's evidence names, without
--- duplicates.
---@param item {text: string, evidence: string[]}
---@param inputs scanner.Input[]
---@param known string[]?
function M.of(item, inputs, known)
  local list, seen = m.array {}, {}
  local function add(place)
    if place and not seen[place] then seen[place], list[#list + 1] = true, place end
  end
  for _, place in ipairs(known or {}) do add(place) end
  for _, evidence in ipairs(item.evidence) do add(place_of(evidence, item.text, inputs)) end
  return list
end

return M
