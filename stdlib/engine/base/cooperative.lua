--- Lets long loops yield to other tasks.
--- Yielding depends on time and not on a number of files, because disks differ in speed.
local M = {}

local longest_ms = 50

---@return fun()
function M.new()
  local since = core.clock.monotonic()
  return function()
    if core.clock.monotonic() - since < longest_ms then return end
    core.task.sleep(0)
    since = core.clock.monotonic()
  end
end

--- Removes a folder and its content file by file. A missing folder is not an error.
---@return true? removed, any error
function M.remove(root, path)
  local pause = M.new()
  local function empty(folder)
    for _, entry in ipairs(core.file.list(root, folder) or {}) do
      local inner = folder .. "/" .. entry.name
      if entry.type == "directory" then empty(inner) else core.file.remove(root, inner) end
      pause()
    end
  end
  local info = core.file.stat(root, path)
  if info and info.type == "directory" then empty(path) end
  return core.file.remove(root, path)
end

return M
