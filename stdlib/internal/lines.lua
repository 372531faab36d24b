--- A text line by line.
local M = {}

--- Its lines without their ends; one that ends with a line end has an empty last line.
---@param text string
---@return string[]
function M.of(text)
  local list = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

return M
