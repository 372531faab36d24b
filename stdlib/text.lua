--- Small functions on text: a test for shapes (Lua patterns), a test for words, and sets of words.

local find, lower, match, sub = string.find, string.lower, string.match, string.sub

---@class moonlet.text
local M = {}

--- The start of the first shape that the text has; nil if it has none.
--- ```lua
--- require("moonlet.text").any("a 12", { "%d+" }) --> 3
--- ```
---@param text string
---@param shapes string[]
---@return integer?
function M.any(text, shapes)
  for i = 1, #shapes do
    local at = find(text, shapes[i])
    if at then return at end
  end
  return nil
end

--- The captures of the first shape that fits.
--- ```lua
--- require("moonlet.text").first("v12", { "v(%d+)" }) --> "12"
--- ```
---@param text string
---@param shapes string[]
---@return string? capture, string? second
function M.first(text, shapes)
  for i = 1, #shapes do
    local capture, second = match(text, shapes[i])
    if capture then return capture, second end
  end
  return nil
end

--- The first of the plain words that stands in the text, in any case; nil if there is none.
--- ```lua
--- require("moonlet.text").word("a FIX me", { "fix" }) --> "fix"
--- ```
---@param text string
---@param words string[] in lower case
---@return string?
function M.word(text, words)
  local low = lower(text)
  for i = 1, #words do
    if find(low, words[i], 1, true) then return words[i] end
  end
  return nil
end

--- A text without the spaces at its ends; in linear time, whatever stands between them.
--- ```lua
--- require("moonlet.text").trim "  a " --> "a"
--- ```
---@param text string
---@return string
function M.trim(text)
  local from = find(text, "%S")
  return from and sub(match(text, "^.*%S"), from) or ""
end

--- A text as a pattern that finds it.
--- ```lua
--- ("a.b"):find(require("moonlet.text").plain ".") --> 2, 2
--- ```
---@param text string
---@return string
function M.plain(text) return (string.gsub(text, "%p", "%%%0")) end

--- The keys of a list, as a set.
--- ```lua
--- require("moonlet.text").set("red green").red --> true
--- ```
---@param text string words with spaces between
---@return table<string, boolean>
function M.set(text)
  local result = {}
  for name in string.gmatch(text, "%S+") do result[name] = true end
  return result
end

return M
