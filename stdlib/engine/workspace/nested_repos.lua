--- Examines submodules of a worktree, and repositories that an agent created with `git init`.
--- Never runs git in these repositories, because their config may name programs to start.
local git = require "moonlet.engine.workspace.git"
local cooperative = require "moonlet.engine.base.cooperative"

local M = {}

local walk_cap = 10000000

local function join(folder, name) return folder == "." and name or folder .. "/" .. name end

--- Calls fn(folder, entry) for each entry below `folder`. Enters a subfolder if fn returns true.
local function walk(root, folder, fn)
  local pending, seen, breathe = { folder }, 0, cooperative.new()
  while #pending > 0 do
    local at = table.remove(pending)
    local list, err = core.file.list(root, at)
    if not list then error(err, 0) end
    breathe()
    for _, entry in ipairs(list) do
      seen = seen + 1
      if seen > walk_cap then
        error({ kind = "failed", message = "the worktree has more files than can be checked" }, 0)
      end
      if fn(at, entry) and entry.type == "directory" then
        pending[#pending + 1] = join(at, entry.name)
      end
    end
  end
end

--- Gives the host read and write access to all folders below a path.
---@param path string  absolute path
function M.open_folders(run, key, path)
  core.process.run { step = key .. "/worktree", cwd = path, wall_ms = 10 * 60 * 1000, cap = 1 << 16,
    env = git.environment(run), argv = { "find", ".", "-type", "d", "!", "-perm", "-700",
      "-exec", "chmod", "u+rwx", "{}", ";" } }
end

--- Adds the paths of a nested repository's files to `list`, except those in its .git folder.
function M.files(root, folder, list)
  walk(root, folder, function(at, entry)
    if entry.name == ".git" then return false end
    if entry.type == "file" or entry.type == "link" then list[#list + 1] = join(at, entry.name) end
    return true
  end)
end

--- Reports whether a repository contains any objects. A new repository contains none.
local function has_history(root, git_dir)
  local info = core.file.stat(root, git_dir)
  if not info or info.type ~= "directory" then return true end
  local found = false
  local list = core.file.list(root, git_dir .. "/objects")
  if not list then return true end
  for _, entry in ipairs(list) do
    if entry.name ~= "info" and entry.name ~= "pack" then found = true end
  end
  local packs = core.file.list(root, git_dir .. "/objects/pack") or {}
  return found or #packs > 0
end

--- Returns three lists of what a merge of a worktree would miss: nested repositories with their own
--- history, files that git refuses (such as files in a folder `.GIT`), and empty folders.
---@param taken table<string, true>   paths that the merge includes
---@param is_kept fun(path: string): boolean  true for a folder to skip
function M.left_behind(root, taken, is_kept)
  local histories, files, folders, filled = {}, {}, {}, {}
  walk(root, ".", function(at, entry)
    local path = join(at, entry.name)
    filled[at] = true
    if is_kept(path) then return false end
    if entry.name ~= ".git" then
      if entry.type == "directory" then folders[#folders + 1] = path end
      if (entry.type == "file" or entry.type == "link") and not taken[path] then
        files[#files + 1] = path
      end
      return true
    end
    if at ~= "." and has_history(root, path) then histories[#histories + 1] = at end
    return false
  end)
  local empty = {}
  for _, path in ipairs(folders) do
    if not filled[path] then empty[#empty + 1] = path end
  end
  for _, list in ipairs { histories, files, empty } do table.sort(list) end
  return histories, files, empty
end

--- Raises an error if the agent wrote into a submodule, whose files no patch can contain.
---@param path string                     path of the worktree
---@param entries moonlet.IndexEntry[]    entries of the index that the worktree began with
---@return string[] gone                  submodules whose folder was removed
function M.refuse_submodules(root, path, entries)
  local gone = {}
  for _, entry in ipairs(entries) do
    local submodule = entry.path
    local info = entry.mode == "160000" and entry.tag ~= "S" and core.file.stat(root, submodule)
    if info == nil then
      gone[#gone + 1] = submodule
    elseif info and (info.type ~= "directory" or #(core.file.list(root, submodule) or {}) > 0) then
      local shown = core.text.printable(submodule, 200)
      error({ kind = "failed",
        message = ("the agent's work in the submodule %s cannot be carried over, so nothing "
          .. "is merged"):format(shown),
        hint = ("it is in %s/%s, and its other changes beside it; let it write submodules with "
          .. "in_place = true"):format(
          path, shown) }, 0)
    end
  end
  return gone
end

return M
