--- Splits a text into lines.
local M = {}

--- Returns the lines of a text without line ends. A text that ends with a line end has an empty
--- last line.
function M.of(text)
  local list = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do list[#list + 1] = line end
  return list
end

function M.last(text)
  local last
  for line in text:gmatch("[^\n]+") do
    if line:find("%S") then last = line end
  end
  return last
end

return M
