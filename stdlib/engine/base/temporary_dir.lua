--- Locates the folder for moonlet's temporary folders.
local M = {}

--- Returns $TMPDIR, or /tmp if TMPDIR is not an absolute path of an existing folder. A missing
--- folder is not created.
function M.path()
  local base = core.system.env "TMPDIR" or ""
  return base:sub(1, 1) == "/" and core.file.root(base) and base or "/tmp"
end

return M
