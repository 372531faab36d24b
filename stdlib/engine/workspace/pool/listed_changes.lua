--- Finds an agent's changes by comparing its worktree with the host's list of the worktree's files.
--- The comparison takes one pass over the files, while git needs several passes.
--- If the worktree has submodules, or git might reject a path, git finds the changes instead.
local restore = require "moonlet.engine.workspace.pool.restore"

local M = {}

local plain_git_files = { [".gitignore"] = true, [".gitattributes"] = true, [".gitmodules"] = true,
  [".gitkeep"] = true, [".github"] = true }

--- Reports whether git might reject a path or treat it as a nested repository.
local function needs_git(path)
  if path:find "[\\:]" or path:lower():find("git~", 1, true) then return true end
  for name in path:gmatch "%f[^/\0].[^/]*" do
    local is_hidden = name:sub(1, 1) == "."
    if is_hidden and not plain_git_files[name]
        and (name:lower():sub(1, 2) == ".g" or name:find "[\128-\255]") then
      return true
    end
  end
  return false
end

---@class moonlet.ListedChanges
---@field changed string[]  new and changed files and links
---@field gone string[]     removed files and links
---@field folders string[]  new empty folders
---@field files integer     number of files before the agent started

--- Returns an agent's changes, or nil if git must find them.
---@param tree moonlet.Worktree
---@return moonlet.ListedChanges?
function M.find(tree)
  local before, after, files = restore.differences(tree.path, tree.raw)
  tree.differences = before and { before, after } or nil
  if not before or restore.has_submodules(tree.raw) then return nil end
  local found, filled = { changed = {}, gone = {}, folders = {}, files = files }, {}
  for path, kind in pairs(after) do
    local was = before[path]
    if path == "" or needs_git(path) or kind == "o" and was then return nil end
    filled[path:match "^(.*)/" or ""] = true
    if kind == "f" or kind == "l" then found.changed[#found.changed + 1] = path end
  end
  for path, kind in pairs(before) do
    local is = after[path]
    if kind ~= "d" and is ~= "f" and is ~= "l" then found.gone[#found.gone + 1] = path end
  end
  for path, kind in pairs(after) do
    if kind == "d" and not before[path] and not filled[path] then
      found.folders[#found.folders + 1] = path
    end
  end
  for _, name in ipairs { "changed", "gone", "folders" } do table.sort(found[name]) end
  return found
end

return M
