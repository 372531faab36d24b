--- Reports a completed merge to the user: lists the merged files and the files left out.
local counted = require "moonlet.engine.base.counted"
local files = require "moonlet.engine.base.files"
local host_git = require "moonlet.engine.workspace.git"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local scratch_index = require "moonlet.engine.workspace.scratch_index"

local M = {}

local git = scratch_index.git

--- Limits how many changed files a report lists.
M.listed = 2000

--- Returns the user's branch, or the commit if no branch is checked out.
function M.branch(run, key)
  local own = host_git.dirs(run.top)
  local name = own and (files.read(own, "HEAD", 8192) or ""):match "^ref: refs/heads/([^\r\n]+)"
  -- In a repository with the reftable format, HEAD always names the invalid branch ".invalid".
  if name and name ~= ".invalid" then return name end
  local exit = git(run, key, run.top, { "symbolic-ref", "--quiet", "HEAD" }, { may_fail = true })
  if exit.code ~= 0 then
    exit = git(run, key, run.top, { "rev-parse", "HEAD" }, { may_fail = true })
  end
  return (exit.stdout:gsub("\n$", ""):gsub("^refs/heads/", ""))
end

--- Creates the empty folders that the agent added. Returns those that did not exist before.
local function make_folders(run, folders)
  local root, made = core.file.root(run.top), {}
  for _, path in ipairs(root and folders or {}) do
    if not core.file.stat(root, path) and core.file.make_dirs(root, path) then
      made[#made + 1] = path .. "/"
    end
  end
  return made
end

--- Returns a report about a merge. Also creates the empty folders that the agent added.
---@param dir string    folder of the step, below `.agent`
---@param changes moonlet.Change[]
---@param left moonlet.LeftBehind
---@param behind string[]  ignored files, left out because the user has another version of each
---@return moonlet.Carried
function M.of(run, key, dir, tree, changes, left, behind, patch)
  local parts, gone, paths = {}, {}, {}
  for _, path in ipairs(behind) do gone[path] = true end
  for _, change in ipairs(changes) do
    if #paths < M.listed and not gone[change.path] then paths[#paths + 1] = change.path end
  end
  parts[1] = #left.held > 0 and kept_worktrees.held_back(left.held, run.absolute(dir)) or nil
  local kept = kept_worktrees.left_behind(tree.path, left)
  parts[#parts + 1] = kept
  if #changes - #behind > #paths then
    parts[#parts + 1] = ("merged: %s, of which %d are listed as changed; %s has them all"):format(
      counted(#changes - #behind, "file"), #paths, run.absolute(patch))
  end
  if #behind > 0 then
    parts[#parts + 1] =
      ("git ignores %s, and a file of that name exists: the agent's version is only in %s"):format(
      kept_worktrees.shown(behind), run.absolute(patch))
  end
  local branch = M.branch(run, key)
  if #changes > 0 and tree.branch and tree.branch ~= branch then
    parts[#parts + 1] =
      ("the agent began at %s, and %s is checked out now: its changes are merged there"):format(
      core.text.printable(tree.branch, 100), core.text.printable(branch, 100))
  end
  local folders = make_folders(run, left.folders)
  table.move(folders, 1, #folders, #paths + 1, paths)
  return { paths = paths, kept = kept ~= nil, held = left.held,
    warning = #parts > 0 and table.concat(parts, "; ") or nil }
end

return M
