--- Adds, finds and removes git's records of worktrees, which are in `.git/worktrees` of a repository.
local files = require "moonlet.engine.base.files"
local host_git = require "moonlet.engine.workspace.git"
local scratch_index = require "moonlet.engine.workspace.scratch_index"

local M = {}

--- Reads the path of a worktree from git's record. Returns nil if the record contains no path, or
--- if another user owns it.
local function read_gitdir(root, name)
  local text, err = core.file.read(root, name .. "/gitdir", 1 << 16)
  if not text and err.kind == "failed" then files.fail(err) end
  return text
end

--- Finds git's record of a worktree by its path, because git may have added a number to the name.
---@param common string  the repository's git folder
---@param path string    absolute path of the worktree
---@return string? name, any? root  opened folder with all records
function M.find(common, path)
  -- Compare only the last two names of the path, which are unique to this worktree.
  local wanted = path:match("/[^/]+/[^/]+$") .. "/.git"
  local root = files.root(common .. "/worktrees")
  for _, entry in ipairs(root and files.list(root, ".") or {}) do
    local text = entry.type == "directory" and read_gitdir(root, entry.name)
    if text and text:gsub("\n$", ""):sub(-#wanted) == wanted then return entry.name, root end
  end
  return nil, root
end

--- Reports whether records have git's simplest form in this repository.
function M.are_plain(run)
  local set = host_git.settings(run)
  return not (set["core.sharedrepository"] or set["core.sparsecheckout"]
    or set["extensions.worktreeconfig"] or set["extensions.refstorage"])
end

--- Writes the record that `git worktree add --no-checkout` would write, but without starting git.
--- The files need not survive a power cut.
local function write(common, path, commit)
  local folder, name = path:match "^(.*)/([^/]+)$"
  local root, records = files.must(core.file.root(folder)), files.must(core.file.root(common))
  -- Git uses the name in refs, which cannot contain every character of a file name.
  local first = "worktrees/" .. name:gsub("[^%w_-]", "-")
  local admin, count = first, 0
  while files.is_there(records, admin) do
    count = count + 1
    admin = first .. count
  end
  files.must(core.file.make_dirs(root, name))
  files.must(core.file.write(root, name .. "/.git",
    ("gitdir: %s/%s\n"):format(common, admin), false))
  files.must(core.file.make_dirs(records, admin))
  -- Write `gitdir` first, because git removes a record without it.
  for _, file in ipairs { { "gitdir", path .. "/.git" }, { "commondir", "../.." },
      { "HEAD", commit } } do
    files.must(core.file.write(records, admin .. "/" .. file[1], file[2] .. "\n", false))
  end
  return common .. "/" .. admin
end

--- Adds an empty worktree to the repository, with the given commit as its HEAD.
---@param common string  the repository's git folder
---@param path string    absolute path of the worktree
---@return string admin  absolute path of the record
function M.add(run, key, common, path, commit)
  if M.are_plain(run) then return write(common, path, commit) end
  scratch_index.git(run, key, run.top,
    { "worktree", "add", "--quiet", "--detach", "--force", "--no-checkout", path,
    commit })
  return common .. "/worktrees/" .. M.find(common, path)
end

--- Removes git's record of a worktree. The file with the worktree's path is removed last, so that
--- find() still finds a record that a killed host removed only in part.
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
