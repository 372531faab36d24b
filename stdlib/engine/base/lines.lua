--- Splits a text into lines.
local M = {}

--- Returns the lines of a text. The empty line after a final line feed counts.
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
