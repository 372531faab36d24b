--- Keeps the worktrees of finished steps, because checking out a large repository costs more than
--- most steps. A pooled worktree is a folder `pool-…` beside the others; its git files and the list
--- of its content lie in the folder for moonlet's own git files, where no agent can write. A step
--- takes one only after its content was proved equal to its base. In any doubt it is thrown away.
local admin_folder = require "moonlet.engine.workspace.admin_folder"
local cooperative = require "moonlet.engine.base.cooperative"
local files = require "moonlet.engine.base.files"
local nested_repos = require "moonlet.engine.workspace.nested_repos"
local plumbing = require "moonlet.engine.workspace.plumbing"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local tree_list = require "moonlet.engine.workspace.pool.tree_list"
local worktree_seed = require "moonlet.engine.workspace.worktree_seed"

local M = {}

local git = scratch_index.git
local default_most = 4
local oldest_ms = 7 * 24 * 3600 * 1000
local id_bytes = 6
local list_cap = 256 << 20
--- Restoring more files than this is not faster than a new checkout.
local most_restored = 20000
--- After this time, a host that moves a worktree to its new base counts as dead.
local longest_move_ms = 3600 * 1000
local list_name, new_list_name, base_name = "tree.list", "tree.new", "tree.base"
local reason = "waits for the next agent that writes; moonlet run prune --worktrees removes it\n"

local function most_of(run)
  local limits = run.config and run.config.limits
  return limits and limits.worktrees or default_most
end

--- Returns the folder of moonlet's own git files beside a folder of worktrees.
local function raw_folder(parent) return (parent:gsub("/worktrees/([^/]+)$", "/raw/%1")) end

local function new_name(prefix) return prefix .. core.clock.random_hex(id_bytes) end

---@class moonlet.PooledWorktree
---@field name string
---@field age integer  ms since it was pooled

--- Returns the time since a worktree was pooled, or nil if it is not in the pool. A worktree that a
--- killed host left counts as infinitely old.
local function age_of(root, raw, name)
  local info
  if name:find "^pool%-%x+$" then
    info = raw and core.file.stat(raw, name .. "/" .. list_name) and core.file.stat(raw, name)
  elseif name:find "^taken%-%x+$" then
    info = core.file.stat(root, name)
    if info and core.clock.wall() - info.ctime_ns // 1000000 < longest_move_ms then return nil end
    info = nil
  else
    return nil
  end
  return info and core.clock.wall() - info.ctime_ns // 1000000 or math.maxinteger
end

--- Lists the pooled worktrees of a folder, the newest first.
---@param parent string
---@return moonlet.PooledWorktree[]
function M.list(parent)
  local root, raw = core.file.root(parent), core.file.root(raw_folder(parent))
  local list = {}
  for _, entry in ipairs(root and core.file.list(root, ".") or {}) do
    local age = age_of(root, raw, entry.name)
    if age then list[#list + 1] = { name = entry.name, age = age } end
  end
  table.sort(list, function(a, b) return a.age < b.age or a.age == b.age and a.name < b.name end)
  return list
end

--- Moves a worktree out of the way. sweep() deletes it later.
local function discard(common, parent, name)
  local root, raw = core.file.root(parent), core.file.root(raw_folder(parent))
  if raw then core.file.remove(raw, name) end
  if root then core.file.rename(root, name, new_name "trash-") end
  admin_folder.remove(common, parent .. "/" .. name)
end

--- Deletes discarded worktrees, also those of a killed host.
---@param run table
---@param key string
---@param parent string
function M.sweep(run, key, parent)
  local root = core.file.root(parent)
  for _, entry in ipairs(root and core.file.list(root, ".") or {}) do
    if entry.name:find "^trash%-%x+$" and not cooperative.remove(root, entry.name) then
      nested_repos.open_folders(run, key, parent .. "/" .. entry.name)
      cooperative.remove(root, entry.name)
    end
  end
end

--- Discards the pooled worktrees of a folder that are too old, and all but the newest `most`.
local function trim(common, parent, most)
  for i, entry in ipairs(M.list(parent)) do
    if i > most or entry.age > oldest_ms then discard(common, parent, entry.name) end
  end
end

--- Returns the number of pooled worktrees and the bytes of their files.
---@param parent string
---@return integer count, integer bytes
function M.size(parent)
  local list, bytes = M.list(parent), 0
  local raw = core.file.root(raw_folder(parent))
  for _, entry in ipairs(list) do
    local text = raw and core.file.read(raw, entry.name .. "/" .. list_name, list_cap) or ""
    for size in ("\0" .. text):gmatch "%z[^d%z] %d+ (%d+)" do bytes = bytes + math.tointeger(size) end
  end
  return #list, bytes
end

--- Empties the pool of a repository. The caller holds the lock of worktrees.
---@param common string  the repository's git folder
---@param parent string
---@return integer count
function M.empty(common, parent)
  local list, root = M.list(parent), core.file.root(parent)
  trim(common, parent, 0)
  for _, entry in ipairs(root and core.file.list(root, ".") or {}) do
    if entry.name:find "^trash%-%x+$" then cooperative.remove(root, entry.name) end
  end
  return #list
end

--- Records the content of a new worktree, so that it can be pooled later. A worktree in which tracked
--- files are not checked out is never pooled.
---@param run table
---@param key string
---@param tree moonlet.Worktree
---@param beginning moonlet.Beginning
function M.note(run, key, tree, beginning)
  if most_of(run) == 0 or #beginning.unseen > 0 then return end
  local root = files.must(core.file.root(tree.raw.path))
  -- Write the list last, because a pooled worktree without a list is not used.
  core.file.remove(root, list_name)
  files.write(root, base_name, beginning.tree .. "\n")
  pcall(tree_list.write, run, key, tree.path, tree.raw.path .. "/" .. list_name)
end

--- Puts a worktree into the pool. The caller holds the lock of worktrees.
---@param run table
---@param tree moonlet.Worktree
---@return boolean pooled
function M.give(run, tree)
  local parent, name = tree.path:match "^(.*)/([^/]+)$"
  local root, raw = core.file.root(parent), core.file.root(raw_folder(parent))
  local admin, admins = admin_folder.find(tree.common, tree.path)
  local most = most_of(run)
  if most == 0 or not root or not raw or not admin or not core.file.stat(raw, name .. "/" .. list_name) then
    return false
  end
  local pooled = new_name "pool-"
  if not core.file.rename(raw, name, pooled) then return false end
  if not core.file.rename(root, name, pooled) then
    core.file.remove(raw, pooled)
    return false
  end
  -- git does not prune a locked worktree, and displays this reason.
  core.file.write(admins, admin .. "/gitdir", ("%s/%s/.git\n"):format(parent, pooled))
  core.file.write(admins, admin .. "/locked", reason)
  trim(tree.common, parent, most)
  return true
end

--- Reserves the newest pooled worktree: moves its git files to the place of the new one. The caller
--- holds the lock of worktrees.
---@param run table
---@param common string  the repository's git folder
---@param parent string
---@param name string  name of the new worktree
---@return string? taken  path of the reserved worktree
function M.claim(run, common, parent, name)
  trim(common, parent, most_of(run))
  local root, raw = core.file.root(parent), core.file.root(raw_folder(parent))
  local entry = root and raw and M.list(parent)[1]
  if not entry then return nil end
  core.file.remove(raw, name)
  local taken = (entry.name:gsub("^pool%-", "taken-"))
  if not core.file.rename(raw, entry.name, name) then return nil end
  admin_folder.remove(common, parent .. "/" .. entry.name)
  return core.file.rename(root, entry.name, taken) and parent .. "/" .. taken or nil
end

--- Removes from the worktree what differs from its list. git restores it afterwards.
---@return table<string, true> touched
local function clean(root, before, after)
  local touched, paths = {}, {}
  for path in pairs(before) do touched[path] = true end
  for path in pairs(after) do
    touched[path] = true
    paths[#paths + 1] = path
  end
  if #paths > most_restored then error({ kind = "failed", message = "too many files differ" }, 0) end
  table.sort(paths)
  local removed = "/"
  for _, path in ipairs(paths) do
    if path == "" then error({ kind = "failed", message = "its own folder was changed" }, 0) end
    if (path .. "/"):sub(1, #removed) ~= removed then
      files.must(cooperative.remove(root, path))
      removed = path .. "/"
    end
  end
  return touched
end

--- Adds the files that differ between two trees.
local function add_changes(run, key, path, env, old, new, touched)
  local exit = git(run, key, path, { "diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new },
    { env = env, cap = core.process.largest_cap })
  for changed in exit.stdout:gmatch "([^%z]+)%z" do touched[changed] = true end
end

local function folder_of(path) return path:match "^(.*)/[^/]*$" end

--- Raises an error if a path differs that was not restored or checked out.
local function refuse_other_changes(before, after, touched)
  local parents = { [""] = true }
  for path in pairs(touched) do
    local folder = folder_of(path)
    while folder and not parents[folder] do
      parents[folder] = true
      folder = folder_of(folder)
    end
  end
  local function is_expected(path, kind)
    if kind == "d" and parents[path] then return true end
    while path and not touched[path] do path = folder_of(path) end
    return path ~= nil
  end
  for _, list in ipairs { before, after } do
    for path, kind in pairs(list) do
      if not is_expected(path, kind) then
        error({ kind = "failed", message = "a file changed meanwhile: " .. core.text.printable(path, 200) }, 0)
      end
    end
  end
end

--- Restores a reserved worktree and moves it to a new base.
local function move(run, key, pooled, tree, beginning)
  local raw = files.must(core.file.root(tree.raw.path))
  local root = files.must(core.file.root(pooled))
  local list, new = tree.raw.path .. "/" .. list_name, tree.raw.path .. "/" .. new_list_name
  local base = (files.read(raw, base_name, 200) or ""):match "^%x+"
  if not base or #beginning.unseen > 0 then error({ kind = "failed", message = "it has no usable base" }, 0) end
  tree_list.write(run, key, pooled, new)
  local before, after = tree_list.compare(run, key, list, new)
  local touched = clean(root, before, after)
  local env = plumbing.env(tree.raw, pooled, worktree_seed.index(tree.raw))
  add_changes(run, key, pooled, env, base, beginning.tree, touched)
  -- Only the host writes this index, so git can trust its timestamps to find unchanged files.
  git(run, key, pooled, { "read-tree", "--reset", "-u", "--no-recurse-submodules", beginning.tree }, { env = env })
  tree_list.write(run, key, pooled, new)
  before, after = tree_list.compare(run, key, list, new)
  refuse_other_changes(before, after, touched)
  files.write(raw, base_name, beginning.tree .. "\n")
  files.must(core.file.rename(raw, new_list_name, list_name))
end

--- Puts a reserved worktree in the place of an empty new one, with the new one's `.git`.
local function swap(pooled, tree)
  local parent, name = tree.path:match "^(.*)/([^/]+)$"
  local root = files.must(core.file.root(parent))
  local text = files.must(core.file.read(root, name .. "/.git", 1 << 16))
  local from = pooled:match "[^/]+$"
  files.must(core.file.remove(root, from .. "/.git"))
  files.must(core.file.write(root, from .. "/.git", text))
  files.must(core.file.remove(root, name))
  files.must(core.file.rename(root, from, name))
end

--- Fills a new worktree with a reserved one: proves or restores its content, and moves it to the new
--- base. If that fails, the reserved one is discarded and the new one stays empty.
---@param run table
---@param key string
---@param pooled string
---@param tree moonlet.Worktree
---@param beginning moonlet.Beginning
---@return boolean filled
function M.fill(run, key, pooled, tree, beginning)
  local ok, err = pcall(move, run, key, pooled, tree, beginning)
  if ok then ok, err = pcall(swap, pooled, tree) end
  if ok then return true end
  local parent, name = pooled:match "^(.*)/([^/]+)$"
  discard(tree.common, parent, name)
  local cancelled = core.task.pending_error()
  if cancelled then error(cancelled, 0) end
  run.emit("log", { step = key, text = "a new worktree is made, because the waiting one cannot be used: "
    .. tostring(type(err) == "table" and err.message or err) })
  return false
end

return M
