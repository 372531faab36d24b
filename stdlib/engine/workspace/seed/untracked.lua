--- Selects the untracked files that are copied into a new worktree: those that git does not ignore.
--- Skips nested repositories.
--- If copying the files would take too long, leaves all of them out with a warning.
local git = require "moonlet.engine.workspace.git"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local cooperative = require "moonlet.engine.base.cooperative"

local M = {}

local list_cap = core.process.largest_cap
local most_files = 20000
local most_bytes = 256 << 20
local largest = 32 << 20

--- Lists untracked files, and reports whether the list was truncated.
---@param index string   absolute path of the index of tracked files
---@return string[], boolean?
function M.list(run, key, index)
  local case = "core.ignorecase=" .. tostring(not git.tells_case(run.top))
  local exit = scratch_index.git(run, key, run.top,
    { "-c", case, "ls-files", "--others", "--exclude-standard", "-z" },
    { env = { GIT_INDEX_FILE = index }, cap = list_cap, may_cut = true })
  local paths = {}
  for path in exit.stdout:gmatch("([^%z]+)%z") do paths[#paths + 1] = path end
  return paths, exit.stdout_cut
end

--- Returns the paths that are neither nested repositories nor files in `.agent`.
local function users_own(listed)
  local paths = {}
  for _, path in ipairs(listed) do
    local is_nested, is_ours = path:sub(-1) == "/", path:sub(1, 7) == ".agent/"
    if not is_nested and not is_ours then paths[#paths + 1] = path end
  end
  return paths
end

--- Reports whether a file can be copied into a worktree. Also returns its size.
local function look_at(root, path)
  local info = core.file.stat(root, path)
  if not info or info.type ~= "file" then return info and info.type == "link", 0 end
  return info.size <= largest and core.file.part(root, path, 0, 1) ~= nil, info.size
end

--- Warns that untracked files are missing in the worktree.
---@param why string
function M.tell(run, key, paths, why)
  if #paths == 0 then return end
  run.emit("warning",
    { step = key, text = ("the worktree begins without %s, which git does not track: %s"):format(
    kept_worktrees.shown(paths), why) })
end

--- Returns the untracked files to copy into a new worktree.
---@param root any          opened work tree
---@param listed string[]   untracked files
---@param cut boolean?      true if there are more untracked files
function M.files(run, key, root, listed, cut)
  local paths = users_own(listed)
  local taken, left, bytes, breathe = {}, {}, 0, cooperative.new()
  for _, path in ipairs(#paths <= most_files and not cut and paths or {}) do
    local fits, size = look_at(root, path)
    bytes = bytes + (fits and size or 0)
    local list = fits and taken or left
    list[#list + 1] = path
    breathe()
  end
  if cut or #paths > most_files or bytes > most_bytes then
    M.tell(run, key, paths, ("there are more than %d files or %d MB of that"):format(most_files,
      most_bytes >> 20))
    return {}
  end
  M.tell(run, key, left, ("it cannot be read, or is larger than %d MB"):format(largest >> 20))
  return taken
end

return M
