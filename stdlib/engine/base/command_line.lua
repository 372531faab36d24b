--- Formats command lines for messages to people.
local M = {}

function M.quoted(text)
  if text:find "^[%w_./@:,=+-][%w_./#@:,=+-]*$" then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

return M
