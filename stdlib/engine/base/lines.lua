--- Splits a text into lines.
local M = {}

--- Returns the lines of a text without line ends. A text that ends with a line end has an empty
--- last line.
---@param text string
---@return string[]
function M.of(text)
  local list = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

--- Returns the last line that is not blank, or nil.
---@param text string
---@return string?
function M.last(text)
  local last
  for line in text:gmatch("[^\n]+") do
    if line:find("%S") then last = line end
  end
  return last
end

return M
