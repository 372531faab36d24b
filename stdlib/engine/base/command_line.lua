--- Words of command lines that messages give to people.
local M = {}

--- A word of a command line, as a shell reads it.
---@param text string
---@return string
function M.quoted(text)
  if text:find "^[%w_./@:,=+-][%w_./#@:,=+-]*$" then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- The short form of a run's id, as commands take it: 7 for R-007.
---@param id string
---@return string
function M.short(id) return id:match "^R%-0*(%d+)$" or id end

return M
