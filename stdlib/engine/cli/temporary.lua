--- Creates temporary folders for tests and checks.
local temporary_dir = require "moonlet.engine.base.temporary_dir"

local M = {}

--- Creates a folder. The last result is a function that removes it.
function M.folder(name)
  local base = temporary_dir.path()
  local path = ("%s/moonlet-preset-%s-%s"):format(base, name, core.clock.random_hex(8))
  local root, err = core.file.make_root(path)
  if not root then error(err, 0) end
  return path, root, function()
    local parent = core.file.root(base)
    if parent then core.file.remove(parent, path:match("[^/]+$")) end
  end
end

return M
