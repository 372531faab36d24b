--- Locates the user's state directory for data that outlives a repository.
local M = {}

--- Returns the path of moonlet's state folder, or nil if neither XDG_STATE_HOME nor HOME is set.
function M.path() return core.system.state_dir() end

return M
