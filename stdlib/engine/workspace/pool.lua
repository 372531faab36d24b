--- Keeps worktrees of finished steps, because a checkout of a large repository is slow.
--- A pooled worktree is a folder `pool-…` beside the other worktrees.
--- The host records a list of each worktree's files, in a folder that agents cannot write.
--- A step reuses a worktree only if its content is proved equal to this list.
--- A worktree with other content is discarded.
local admin_folder = require "moonlet.engine.workspace.admin_folder"
local cooperative = require "moonlet.engine.base.cooperative"
local files = require "moonlet.engine.base.files"
local nested_repos = require "moonlet.engine.workspace.nested_repos"
local restore = require "moonlet.engine.workspace.pool.restore"

local M = {}

local default_most = 4
local oldest_ms = 7 * 24 * 3600 * 1000
local most_bytes = 20 << 30
local id_bytes = 6
--- A host that has reserved a worktree, but not prepared it within this time, counts as dead.
local longest_move_ms = 3600 * 1000
local reason = "waits for the next agent that writes; moonlet run prune --worktrees removes it\n"

local function most_of(run)
  local limits = run.config and run.config.limits
  return limits and limits.worktrees or default_most
end

--- Returns the folder in which moonlet keeps its own git files for the worktrees in `parent`.
local function raw_folder(parent) return (parent:gsub("/worktrees/([^/]+)$", "/raw/%1")) end

local function new_name(prefix) return prefix .. core.clock.random_hex(id_bytes) end

---@class moonlet.PooledWorktree
---@field name string
---@field age integer  ms since the worktree was pooled

--- Returns the time since a worktree was pooled, or nil if it is not in the pool.
--- A pooled worktree without a list, or one that a killed host had reserved, is infinitely old.
local function age_of(root, raw, name)
  local info
  if name:find "^pool%-%x+$" then
    info = raw and core.file.stat(raw, name .. "/" .. restore.list_name)
      and core.file.stat(raw, name)
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

--- Renames a worktree, so that its path is free. sweep() deletes the renamed folder later.
---@return boolean moved
local function discard(common, parent, name)
  local root, raw = core.file.root(parent), core.file.root(raw_folder(parent))
  if raw then core.file.remove(raw, name) end
  -- Rename the folder last. If the host is killed before that, a later host discards it again.
  admin_folder.remove(common, parent .. "/" .. name)
  return root ~= nil and core.file.rename(root, name, new_name "trash-") ~= nil
end

--- Discards a worktree that cannot be pooled. Does nothing if the pool is disabled.
--- The caller must hold the worktree lock.
---@param run table
---@param tree moonlet.Worktree
---@return boolean moved
function M.throw_away(run, tree)
  return most_of(run) > 0 and discard(tree.common, tree.path:match "^(.*)/([^/]+)$")
end

--- Deletes discarded worktrees, including those of a killed host.
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

--- Reads the size of a pooled worktree's files, in bytes, from the start of its list of files.
local function bytes_of(raw, name)
  local head = raw and core.file.part(raw, name .. "/" .. restore.list_name, 0, 80) or ""
  return math.tointeger(tonumber(head:match "^moonlet%-tree 2 %d+ (%d+)%z")) or 0
end

--- Discards pooled worktrees that are too old. Keeps only the newest of the others, at most `most`.
--- The newest worktree may have any size.
--- An older worktree is kept only while the total size is below a limit.
local function trim(common, parent, most)
  local raw, bytes = core.file.root(raw_folder(parent)), 0
  for i, entry in ipairs(M.list(parent)) do
    bytes = bytes + bytes_of(raw, entry.name)
    if i > most or entry.age > oldest_ms or i > 1 and bytes > most_bytes then
      discard(common, parent, entry.name)
    end
  end
end

--- Returns the number of pooled worktrees, and the size of their files in bytes.
---@param parent string
---@return integer count, integer bytes
function M.size(parent)
  local list, bytes = M.list(parent), 0
  local raw = core.file.root(raw_folder(parent))
  for _, entry in ipairs(list) do bytes = bytes + bytes_of(raw, entry.name) end
  return #list, bytes
end

--- Empties the pool of a repository. The caller must hold the worktree lock.
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

--- Records the content of a new worktree, so that it can be pooled later.
--- A worktree in which tracked files are not checked out is never pooled.
---@param run table
---@param tree moonlet.Worktree
---@param beginning moonlet.Beginning
---@param kept string[]  folders that stay in a pooled worktree
function M.note(run, tree, beginning, kept)
  if most_of(run) == 0 or #beginning.unseen > 0 then return end
  pcall(restore.note, tree.path, tree.raw, beginning, kept)
end

--- Restores a worktree after its last attempt, so that it can wait in the pool.
---@param run table
---@param key string
---@param tree moonlet.Worktree
---@return boolean cleaned
function M.clean(run, key, tree)
  local parent, name = tree.path:match "^(.*)/([^/]+)$"
  if most_of(run) == 0 or not tree.dir then return false end
  return (pcall(restore.clean, run, key, tree.dir, tree.path,
    { path = raw_folder(parent) .. "/" .. name }, tree.differences))
end

--- Puts a cleaned worktree into the pool. The caller must hold the worktree lock.
---@param run table
---@param tree moonlet.Worktree
---@return boolean pooled
function M.give(run, tree)
  local parent, name = tree.path:match "^(.*)/([^/]+)$"
  local root, raw = core.file.root(parent), core.file.root(raw_folder(parent))
  local admin, admins = admin_folder.find(tree.common, tree.path)
  local most = most_of(run)
  if most == 0 or not root or not raw or not admin
      or not core.file.stat(raw, name .. "/" .. restore.list_name) then
    return false
  end
  local pooled = new_name "pool-"
  if not core.file.rename(raw, name, pooled) then return false end
  if not core.file.rename(root, name, pooled) then
    core.file.remove(raw, pooled)
    return false
  end
  -- git never prunes a locked worktree. It displays this text as the reason for the lock.
  core.file.write(admins, admin .. "/gitdir", ("%s/%s/.git\n"):format(parent, pooled))
  core.file.write(admins, admin .. "/locked", reason)
  trim(tree.common, parent, most)
  return true
end

--- Reserves the newest pooled worktree for a step that needs a new worktree.
--- Moves the git files of the pooled worktree to the place of the new worktree's git files.
--- The caller must hold the worktree lock.
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
  local lists = core.file.root(raw_folder(parent) .. "/" .. entry.name)
  if not lists or not restore.begin_move(lists) then return nil end
  local taken = (entry.name:gsub("^pool%-", "taken-"))
  if not core.file.rename(raw, entry.name, name) then return nil end
  admin_folder.remove(common, parent .. "/" .. entry.name)
  return core.file.rename(root, entry.name, taken) and parent .. "/" .. taken or nil
end

--- Puts a reserved worktree in the place of a new empty worktree, whose `.git` file is kept.
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

--- Changes a reserved worktree to the new base, and puts it in the place of a new empty worktree.
--- If that fails, the reserved worktree is discarded and the new worktree stays empty.
---@param run table
---@param key string
---@param pooled string
---@param is_proved boolean  the reserved worktree's content equals its list
---@param why any            error of the comparison
---@param tree moonlet.Worktree
---@param beginning moonlet.Beginning
---@param kept string[]  folders that stay in a pooled worktree
---@return boolean filled
function M.fill(run, key, pooled, is_proved, why, tree, beginning, kept)
  local ok, err = is_proved, why
  if ok and #beginning.unseen > 0 then
    ok, err = false, "some files are not checked out in the work tree"
  end
  if ok then ok, err = pcall(restore.move, run, key, pooled, tree.raw, beginning, kept) end
  if ok then ok, err = pcall(swap, pooled, tree) end
  if ok then ok, err = pcall(restore.end_move, tree.raw) end
  if ok then return true end
  local parent, name = pooled:match "^(.*)/([^/]+)$"
  discard(tree.common, parent, name)
  local cancelled = core.task.pending_error()
  if cancelled then error(cancelled, 0) end
  run.emit("log",
    { step = key, text = "a new worktree is made, because the waiting one cannot be used: "
    .. tostring(type(err) == "table" and err.message or err) })
  return false
end

return M
