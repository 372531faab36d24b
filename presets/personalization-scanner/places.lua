--- Checks the evidence of a preference: `path:line: words` must name a listed input, a line that
--- the agent was shown, and words that stand on that line.
local m = require "moonlet"

local lower, match, sub = string.lower, string.match, string.sub

local M = {}

local function plain(text) return match(lower(text):gsub("[%p%s]+", " "), "^ ?(.-) ?$") end

-- True if a line and a preference have a word in common; its first four letters count.
local function share_a_word(line, text)
  local words = {}
  for word in string.gmatch(lower(line), "[%a\128-\255]+") do words[sub(word, 1, 4)] = true end
  for word in string.gmatch(lower(text), "[%a\128-\255]+") do
    if #word >= 4 and words[sub(word, 1, 4)] then return true end
  end
  return false
end

-- True if the line holds the quoted words. Without a quote, or with a scrap of one, line and
-- preference share a word.
local function stands_there(line, words, text)
  local quote = plain(words)
  if #quote < 12 and not share_a_word(line, text) then return false end
  return #quote < 4 or (" " .. plain(line) .. " "):find(" " .. quote .. " ", 1, true) ~= nil
end

-- `path:line` for evidence that stands there; nil where the line is not there, or was not shown.
local function place_of(evidence, text, inputs)
  for _, input in ipairs(inputs) do
    if sub(evidence, 1, #input.label + 1) == input.label .. ":" then
      local number, words = match(sub(evidence, #input.label + 2), "^(%d+)(.*)$")
      local line = number and input.lines[math.tointeger(tonumber(number))]
      if line and line:find "%w" and stands_there(line, words, text) then
        return ("%s:%d"):format(input.label, number)
      end
    end
  end
end

--- True if a text has a number, or a name within a sentence, that a prompt in lower case has not.
function M.invents(text, prompt)
  for mark, word in string.gmatch(text, "(%S)%s+([%u%d][%w\128-\255]*)") do
    local known = prompt:find("%f[%w\128-\255]" .. lower(word) .. "%f[^%w\128-\255]")
    if not known and not mark:find "[.!?:]" then return true end
  end
  return false
end

--- The true places of a preference, each once, after those that are known.
---@param item {text: string, evidence: string[]}
---@param inputs scanner.Input[]
---@param known string[]?
---@return string[]
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
