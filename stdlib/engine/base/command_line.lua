--- Formats command lines for messages to people.
local M = {}

--- Quotes a word for a shell, if that is necessary.
---@param text string
---@return string
function M.quoted(text)
  if text:find "^[%w_./@:,=+-][%w_./#@:,=+-]*$" then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

return M
