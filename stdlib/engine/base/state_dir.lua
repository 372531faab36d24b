--- The user's state directory, where moonlet keeps what outlives a repository.
local M = {}

--- Absolute, or nil if there is neither XDG_STATE_HOME nor HOME.
---@return string?
function M.path() return core.system.state_dir() end

return M
