--- Lists the files of a repository that start programs on the user's machine.
--- The host has a built-in list, and a runner of the user's own can add more.
local M = {}

local declared = {}

--- Adds names of startup files or folders. A name matches in any folder of a repository.
---@param names string[]
function M.declare(names)
  for _, name in ipairs(names) do declared[name:lower()] = true end
end

---@param path string  relative to the repository
---@param writes string[]?  paths that a call may write on purpose
function M.has(path, writes)
  if core.file.is_startup(path, writes) then return true end
  if not next(declared) then return false end
  for _, wanted in ipairs(writes or {}) do
    if path == wanted or path:sub(1, #wanted + 1) == wanted .. "/" then return false end
  end
  local folded = "/" .. path:lower() .. "/"
  for name in pairs(declared) do
    if folded:find("/" .. name .. "/", 1, true) then return true end
  end
  return false
end

return M
