--- The folder in which moonlet makes its temporary ones.
local M = {}

--- $TMPDIR, or /tmp where that is not the absolute path of a folder: nobody asked for a new folder there.
---@return string
function M.path()
  local base = core.system.env "TMPDIR" or ""
  return base:sub(1, 1) == "/" and core.file.root(base) and base or "/tmp"
end

return M
