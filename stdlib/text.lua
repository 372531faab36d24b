--- Searches text for Lua patterns and words, and splits words into sets.

local find, lower, match, sub = string.find, string.lower, string.match, string.sub

---@class moonlet.text
local M = {}

--- Returns the start of the match of the first pattern that matches the text, or nil.
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

--- Returns the captures of the first pattern that matches the text.
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

--- Returns the first word of a list that occurs in the text, ignoring case, or nil.
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

--- Trims the white space at both ends of a text in linear time.
--- ```lua
--- require("moonlet.text").trim "  a " --> "a"
--- ```
---@param text string
---@return string
function M.trim(text)
  local from = find(text, "%S")
  return from and sub(match(text, "^.*%S"), from) or ""
end

--- Escapes a text so that a Lua pattern with it matches the text literally.
--- ```lua
--- ("a.b"):find(require("moonlet.text").plain ".") --> 2, 2
--- ```
---@param text string
---@return string
function M.plain(text) return (string.gsub(text, "%p", "%%%0")) end

--- Returns the words of a text as a set.
--- ```lua
--- require("moonlet.text").set("red green").red --> true
--- ```
---@param text string words separated by spaces
---@return table<string, boolean>
function M.set(text)
  local result = {}
  for name in string.gmatch(text, "%S+") do result[name] = true end
  return result
end

return M
