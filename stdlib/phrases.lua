--- Searches a text for many phrases in one pass. It compares the first three bytes of each word
--- with an index.

local match, sub = string.match, string.sub

---@class moonlet.phrases
local M = {}

--- Builds an index of phrases. Each has at least three bytes and is in the case of the searched
--- text.
--- ```lua
--- local index = require("moonlet.phrases").index { "never push", "always test" }
--- ```
---@param list string[]
---@return table
function M.index(list)
  local index = {}
  for _, phrase in ipairs(list) do
    local key = sub(phrase, 1, 3)
    index[key] = index[key] or {}
    table.insert(index[key], phrase)
  end
  return index
end

--- Calls found(phrase, from, to) for each phrase that begins at the start of a word.
--- ```lua
--- local phrases = require "moonlet.phrases"
--- phrases.each(phrases.index { "never push" }, "please never push", function(phrase, from)
---   ctx:log(phrase .. " at " .. from)
--- end)
--- ```
---@param index table
---@param text string
---@param found fun(phrase: string, from: integer, to: integer)
function M.each(index, text, found)
  for at in string.gmatch(text, "()%f[%w\128-\255][%w\128-\255]") do
    local list = index[sub(text, at, at + 2)]
    for i = 1, list and #list or 0 do
      local phrase = list[i]
      if sub(text, at, at + #phrase - 1) == phrase then found(phrase, at, at + #phrase - 1) end
    end
  end
end

--- Splits a text at each | and trims the phrases.
--- ```lua
--- #require("moonlet.phrases").list "never push|always test" --> 2
--- ```
---@param text string
---@return string[]
function M.list(text)
  local result = {}
  for phrase in string.gmatch(text, "[^|]+") do result[#result + 1] = match(phrase, "^%s*(.-)%s*$") end
  return result
end

return M
