--- Locates the parent folder of moonlet's temporary folders.
local M = {}

--- Returns $TMPDIR, or /tmp if TMPDIR is not the absolute path of an existing folder.
function M.path()
  local base = core.system.env "TMPDIR" or ""
  return base:sub(1, 1) == "/" and core.file.root(base) and base or "/tmp"
end

return M
