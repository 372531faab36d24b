--- Finds git's records of worktrees, which are in `worktrees` of a repository's git folder.
local files = require "moonlet.engine.base.files"

local M = {}

--- Reads the path of a worktree from git's records. Skips a record that another user owns.
local function read_gitdir(root, name)
  local text, err = core.file.read(root, name .. "/gitdir", 1 << 16)
  if not text and err.kind == "failed" then files.fail(err) end
  return text
end

--- Finds the folder of a worktree. Its name has a suffix if the name was taken.
---@param common string  the repository's git folder
---@param path string    absolute path of the worktree
---@return string? name, any? root  of the folder's parent
function M.find(common, path)
  -- The user's own worktrees never match, because their paths end differently.
  local wanted = path:match("/[^/]+/[^/]+$") .. "/.git"
  local root = files.root(common .. "/worktrees")
  for _, entry in ipairs(root and files.list(root, ".") or {}) do
    local text = entry.type == "directory" and read_gitdir(root, entry.name)
    if text and text:gsub("\n$", ""):sub(-#wanted) == wanted then return entry.name, root end
  end
  return nil, root
end

--- Removes git's record of a worktree. Its path goes last, so that find() finds what a killed host
--- left.
---@param common string
---@param path string  absolute path of the worktree
function M.remove(common, path)
  local name, root = M.find(common, path)
  for _, entry in ipairs(name and files.list(root, name) or {}) do
    if entry.name ~= "gitdir" then core.file.remove(root, name .. "/" .. entry.name) end
  end
  if name then core.file.remove(root, name) end
end

return M
