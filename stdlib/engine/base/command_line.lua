--- Formats command lines for messages to people.
local M = {}

--- Quotes a word for a shell, if that is necessary.
---@param text string
---@return string
function M.quoted(text)
  if text:find "^[%w_./@:,=+-][%w_./#@:,=+-]*$" then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Returns the short form of a run's id for commands: 7 for R-007.
---@param id string
---@return string
function M.short(id) return id:match "^R%-0*(%d+)$" or id end

return M
