--- Determines the name of the user who decides or answers.
local M = {}

local function set(name)
  local value = core.system.env(name)
  return value ~= "" and value or nil
end

--- Returns the user's name: USER, LOGNAME, or else the account of this process.
function M.name() return set "USER" or set "LOGNAME" or core.system.user() or "user" end

return M
