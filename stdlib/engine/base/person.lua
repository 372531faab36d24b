--- The name of the person who decides or answers.
local M = {}

local function set(name)
  local value = core.system.env(name)
  return value ~= "" and value or nil
end

--- The user of this shell. A service has no USER.
---@return string
function M.name() return set "USER" or set "LOGNAME" or core.system.user() or "user" end

return M
