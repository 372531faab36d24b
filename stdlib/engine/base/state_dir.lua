--- The user's state directory, where moonlet keeps what outlives a repository.
local M = {}

--- Absolute, or nil if there is neither XDG_STATE_HOME nor HOME.
---@return string?
function M.path()
  local base = core.system.env "XDG_STATE_HOME"
  if not base or base:sub(1, 1) ~= "/" then
    local home = core.system.env "HOME"
    if not home or home:sub(1, 1) ~= "/" then return nil end
    base = home .. "/.local/state"
  end
  return base .. "/moonlet"
end

return M
