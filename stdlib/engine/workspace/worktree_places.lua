--- Finds the folders of worktrees: one folder for each repository, in the user's state folder.
local files = require "moonlet.engine.base.files"
local host_git = require "moonlet.engine.workspace.git"
local write_lock = require "moonlet.engine.workspace.write_lock"

local M = {}

--- This file contains a random id of the repository. The path is not used as an id, because another
--- repository may have the same path later.
local id_file = ".worktrees"

local function id_of(home)
  local root = files.root(home.agent_path)
  return root and files.read(root, id_file, 64), root
end

local function give_id(home)
  local id, root = id_of(home)
  if not id then files.write(root, id_file, core.clock.random_hex(16)) end
end

--- Returns the folder of a repository's worktrees, or nil if there were none yet.
function M.parent(home)
  local base, id = core.system.state_dir(), id_of(home)
  return base and id and ("%s/worktrees/%s"):format(base,
    core.text.sha256(id .. "\0" .. home.agent_path):sub(1, 12))
end

function M.of_step(run, key)
  if not core.system.state_dir() then
    error({ kind = "failed",
      message = "there is no place for a worktree: neither XDG_STATE_HOME nor HOME is set" }, 0)
  end
  if not id_of(run.home) then write_lock.with_worktrees(run, key, give_id, run.home) end
  return M.parent(run.home), ("%s-%s"):format(run.id, core.run.step_name(key))
end

--- Returns the path of the private git folder that moonlet keeps for a worktree.
function M.raw(parent, name)
  return (parent:gsub("/worktrees/([^/]+)$", "/raw/%1")) .. "/" .. name
end

--- Lists the worktrees of a run that still exist.
---@return string[] paths  absolute paths
function M.left(home, id)
  local paths, known = core.json.array {}, {}
  -- If the folder of worktrees cannot be found, still report the worktrees that git lists.
  local looked, parent = pcall(M.parent, home)
  local function add(folder, name)
    local path = folder .. "/" .. name
    if name:gsub("^%d+%-", ""):sub(1, #id + 1) ~= id .. "-" or known[path] then return end
    known[path] = true
    paths[#paths + 1] = path
  end
  local root = looked and parent and core.file.root(parent)
  for _, entry in ipairs(root and core.file.list(root, ".") or {}) do
    if entry.type == "directory" then add(parent, entry.name) end
  end
  -- If the repository was moved, its earlier worktrees are in a folder that only git's records
  -- name.
  local base, common = core.system.state_dir(), select(3, host_git.dirs(home.top))
  local admins = base and common and core.file.root(common .. "/worktrees")
  for _, entry in ipairs(admins and core.file.list(admins, ".") or {}) do
    local text = entry.type == "directory"
      and core.file.read(admins, entry.name .. "/gitdir", 1 << 16) or ""
    local folder, name = text:match("^(.*)/([^/]+)/%.git\n?$")
    local there = folder and folder:sub(1, #base + 11) == base .. "/worktrees/"
      and core.file.root(folder)
    if there and core.file.stat(there, name) then add(folder, name) end
  end
  table.sort(paths)
  return paths
end

return M
