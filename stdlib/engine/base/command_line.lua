--- Formats command lines for messages to people.
local M = {}

function M.quoted(text)
  if text:find "^[%w_./@:,=+-][%w_./#@:,=+-]*$" then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Returns the short form of a run's id for commands: 7 for R-007.
function M.short(id) return id:match "^R%-0*(%d+)$" or id end

return M
