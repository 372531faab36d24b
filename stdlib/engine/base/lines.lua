--- Splits a text into lines.
local M = {}

--- Its lines without their ends; one that ends with a line end has an empty last line.
---@param text string
---@return string[]
function M.of(text)
  local list = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

--- The last line that says something, or nil.
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
