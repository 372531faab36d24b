--- Manages git worktrees of steps that write.
--- Either all changes of a step are merged or none.
--- A worktree is outside of the repository.
--- The agent can rewrite a worktree's `.git` file, so the host tells git all paths explicitly.
--- A worktree that cannot be merged is kept and reported.
local admin_folder = require "moonlet.engine.workspace.admin_folder"
local background = require "moonlet.engine.base.background"
local caches = require "moonlet.engine.workspace.pool.caches"
local pool = require "moonlet.engine.workspace.pool"
local restore = require "moonlet.engine.workspace.pool.restore"
local worktree_places = require "moonlet.engine.workspace.worktree_places"
local worktree_seed = require "moonlet.engine.workspace.worktree_seed"
local merge_receipt = require "moonlet.engine.workspace.merge_receipt"
local worktree_changes = require "moonlet.engine.workspace.worktree_changes"
local files = require "moonlet.engine.base.files"
local host_git = require "moonlet.engine.workspace.git"
local merge_apply = require "moonlet.engine.workspace.merge_apply"
local kept_worktrees = require "moonlet.engine.workspace.kept_worktrees"
local merge_plan = require "moonlet.engine.workspace.merge_plan"
local merge_report = require "moonlet.engine.workspace.merge_report"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local plumbing = require "moonlet.engine.workspace.plumbing"
local write_lock = require "moonlet.engine.workspace.write_lock"

local M = {}

local git = scratch_index.git
local patch_cap = 256 << 20
local apply_tries = 3
local removal_ms = 60 * 1000
M.removal_ms = removal_ms
local unused_ms = 24 * 3600 * 1000

---@class moonlet.Worktree
---@field path string      absolute path
---@field git_dir string
---@field dir string?     folder of the step, below `.agent`
---@field base string      tree object of the worktree's initial files
---@field branch string?   branch that the user had checked out at that time
---@field raw moonlet.RawGit
---@field result string?  tree object of changes that were held for a review
---@field folders string[]?  new empty folders of held changes
---@field reviewed boolean?  the changes were held for a review
---@field kept string[]?  folders that were kept from an earlier step
---@field differences table?  files that differed from the host's list when the agent ended
---@field carried moonlet.Carried?  receipt of a merge that an earlier host did not report

local function split(path) return path:match("^(.*)/([^/]+)$") end

--- Returns the name of a step's last worktree, and the next unused name.
local function last_name(root, name)
  local count = 1
  while files.is_there(root, ("%d-%s"):format(count + 1, name)) do count = count + 1 end
  return count == 1 and name or ("%d-%s"):format(count, name), ("%d-%s"):format(count + 1, name)
end

--- Reads the recorded tree object and branch that a worktree began with.
local function read_base(root, name)
  local text = files.read(root, name .. ".base", 8192)
  if not text then return nil end
  local base, branch = text:match("^(%x+)\n([^\n]*)")
  return base, branch
end

--- Rolls back the merge that an earlier attempt left unfinished.
local function forget_merge(run, key, dir)
  local root = files.root(run.absolute(dir))
  if not root then return end
  -- Do not roll back a completed merge.
  if merge_receipt.is_there(root) then
    merge_apply.forget(run, dir)
    merge_receipt.forget(root)
  end
  if not files.is_there(root, "landing") then return end
  local release = write_lock.hold(run, key)
  local ok, err = pcall(merge_apply.undo, run, dir)
  release()
  if not ok then error(err, 0) end
end

--- Removes moonlet's git files for worktrees that another program has removed.
local function sweep_raw(parent)
  local folder = worktree_places.raw(parent, ".")
  local root, trees = core.file.root(folder), core.file.root(parent)
  for _, entry in ipairs(root and trees and core.file.list(root, ".") or {}) do
    local info = core.file.stat(root, entry.name)
    local old = info and core.clock.wall() - info.mtime_ns // 1000000 > unused_ms
    if old and not files.is_there(trees, entry.name) then core.file.remove(root, entry.name) end
  end
end

--- Writes the files of HEAD into the folder of a new worktree, because a step usually begins with
--- them. Does nothing in a repository where git itself must add the worktree first.
---@return string? tree  tree object of the written files
local function fill_with_head(run, key, root, parent, name)
  local raw = plumbing.open(run, worktree_places.raw(parent, name))
  if not admin_folder.are_plain(run) then return nil end
  files.must(core.file.make_dirs(root, name))
  return worktree_seed.fill_with_head(run, key, parent .. "/" .. name, raw)
end

--- Creates the worktree from the user's current files, including uncommitted changes.
local function make(run, key, dir, root, parent, name, tree)
  sweep_raw(parent)
  local pooled, own = nil, worktree_places.raw(parent, name)
  write_lock.with_worktrees(run, key, function()
    pooled = pool.claim(run, tree.common, parent, name)
  end)
  tree.branch = merge_report.branch(run, key)
  -- Reading the user's files takes about as long as proving or filling a worktree.
  local is_ready, result, begun = background.both(function()
    if pooled then return restore.prove(pooled, { path = own }) end
    return fill_with_head(run, key, root, parent, name)
  end, function()
    tree.raw = plumbing.open(run, own)
    return worktree_seed.state(run, key, dir, tree.raw)
  end)
  tree.base = begun.tree
  local filled = not pooled and is_ready and #begun.unseen == 0 and result or nil
  if not filled then files.must(core.file.remove(root, name)) end
  write_lock.with_worktrees(run, key, function()
    tree.git_dir = admin_folder.add(run, key, tree.common, tree.path, begun.commit)
  end)
  local kept = caches.wanted(run, key, tree, begun)
  if not (pooled and pool.fill(run, key, pooled, is_ready, result, tree, begun, kept)) then
    worktree_seed.fill(run, key, dir, tree.path, tree.raw, begun, filled)
    pool.note(run, tree, begun, kept)
  end
  caches.prepare(run, key, dir, tree)
  worktree_seed.write_index(run, key, dir, tree.path, tree.git_dir .. "/index", tree.raw, begun)
  -- An unconfined agent can change HEAD and index, so the base is recorded elsewhere.
  files.write(root, name .. ".base", tree.base .. "\n" .. tree.branch .. "\n")
end

--- Returns folder and name of the worktree that an earlier attempt recorded, even if the repository
--- was moved since.
local function recorded_place(tree, parent, first, path)
  local folder, name = split(path or "")
  if not folder or folder:sub(1, 1) ~= "/" or name:gsub("^%d+%-", "") ~= first then return nil end
  local root = files.root(folder)
  local ours = root and (folder:match("[^/]+$") == parent:match("[^/]+$")
    or files.is_there(root, name .. ".base") and admin_folder.find(tree.common, path))
  if ours then return folder, name, root end
end

--- Raises an error if a kept worktree is missing but git still lists it.
local function refuse_lost(tree)
  if not admin_folder.find(tree.common, tree.path) then return end
  local way = ("restore it; if it is merged by hand, or not wanted: %s, then resume"):format(
    kept_worktrees.removal(tree.path))
  error({ kind = "failed", hint = way,
    message = ("the agent's changes are lost: %s, which was kept for them, is missing"):format(
      tree.path) }, 0)
end

--- Removes an old worktree from the path of a new one. Returns false if the old one must be kept.
local function clear(run, key, dir, root, tree, patch)
  local folder, name = split(tree.path)
  local base = patch and files.is_there(root, name) and read_base(root, name)
  if not base then
    M.remove(run, key, tree)
    return true
  end
  local text = M.drop(run, key, dir,
    { path = tree.path, common = tree.common, dir = dir, base = base,
    raw = plumbing.open(run, worktree_places.raw(folder, name)) }, patch)
  if text then run.emit("warning", { step = key, text = text }) end
  return not files.is_there(root, name)
end

--- Creates the worktree of a step. With `keep`, opens the worktree of an earlier attempt again.
---@param dir string   folder of the step, below `.agent`
---@param path string?  worktree of the earlier attempt
---@param patch string?  name of a patch for discarded work
---@param owner string?  key of the step that created the worktree, if it was another step
---@return moonlet.Worktree, boolean? anew
function M.open(run, key, dir, keep, path, patch, owner)
  host_git.forget_config(run)
  local parent, first = worktree_places.of_step(run, owner or key)
  local root = files.make_root(parent)
  local name, another = last_name(root, first)
  local tree = { common = plumbing.facts(run).common, dir = dir }
  if keep then
    local folder, other, opened = recorded_place(tree, parent, first, path)
    if folder then parent, name, root = folder, other, opened end
  end
  tree.path = parent .. "/" .. name
  tree.carried = keep and merge_receipt.read(run, dir) or nil
  if tree.carried then return tree end
  local there, kept = files.is_there(root, name), files.is_there(root, name .. ".kept")
  if kept and keep and not there then
    refuse_lost(tree)
    tree.carried = { paths = {},
      warning = ("the kept worktree is removed: the agent's changes count as merged by "
      .. "hand, and no changed file is listed (%s)"):format(tree.path) }
    return tree
  end
  if there and not keep and kept then name, there = another, false end
  tree.path = parent .. "/" .. name
  if keep and there then tree.base, tree.branch = read_base(root, name) end
  if tree.base then
    tree.git_dir = tree.common .. "/worktrees/"
      .. (admin_folder.find(tree.common, tree.path) or name)
    tree.raw = plumbing.open(run, worktree_places.raw(parent, name))
    return tree
  end
  forget_merge(run, key, dir)
  if not clear(run, key, dir, root, tree, patch) then
    name = another
    tree.path = parent .. "/" .. name
  end
  local ok, why = pcall(make, run, key, dir, root, parent, name, tree)
  if ok then return tree, true end
  -- A cancellation may have stopped git while it was adding the worktree.
  merge_apply.shielded(M.remove, run, key, tree)
  -- Discarded worktrees are normally deleted while an agent runs, but here none starts.
  pcall(M.sweep, run, key, tree)
  error(why, 0)
end

local function forget_raw(tree)
  local raw, name = split(worktree_places.raw(split(tree.path)))
  local root = core.file.root(raw)
  if root then core.file.remove(root, name) end
end

--- Removes a worktree if it exists, or puts it into the pool.
--- Also removes git's record of this worktree.
---@param run table
---@param key string
---@param tree moonlet.Worktree
function M.remove(run, key, tree)
  local folder, name = split(tree.path)
  local root = files.root(folder)
  if root and files.is_there(root, name) then
    local cleaned, pooled = pool.clean(run, key, tree), false
    write_lock.with_worktrees(run, key, function()
      pooled = cleaned and pool.give(run, tree) or pool.throw_away(run, tree)
      if not pooled then
        git(run, key, run.top, { "worktree", "remove", "--force", "--force", tree.path },
          { may_fail = true })
      end
    end)
  end
  local problem
  for _, suffix in ipairs(root and { "", ".base", ".kept" } or {}) do
    local removed, err = core.file.remove(root, name .. suffix)
    problem = problem or not removed and err or nil
  end
  forget_raw(tree)
  if admin_folder.find(tree.common, tree.path) then
    write_lock.with_worktrees(run, key, admin_folder.remove, tree.common, tree.path)
  end
  if problem then files.fail(problem) end
end

--- Removes the worktree at a path, if it exists.
---@param path string  absolute path
function M.remove_left(run, key, path)
  local folder, name = split(path)
  local root = files.root(folder)
  if not (root and files.is_there(root, name)) then return end
  merge_apply.shielded(M.remove, run, key, { path = path, common = plumbing.facts(run).common,
    dir = run.directory_of(key) })
end

--- Marks a worktree as kept, so that no attempt uses or removes it.
local function keep(tree)
  local folder, name = split(tree.path)
  local root = core.file.root(folder)
  if root then core.file.write(root, name .. ".kept", "") end
end

--- Plans a file's merge again, because the file has changed since the merge was interrupted.
local function again(run, key, dir, tree, changes, entry)
  for _, change in ipairs(changes) do
    if change.path == entry.path then
      return (merge_plan.of(run, key, dir, tree, { change }, entry.name .. "x"))
    end
  end
end

--- Plans and applies the merge. Repeats both if the user saves a file in between.
local function apply(run, key, dir, tree, changes, done)
  local function once()
    local entries, left = merge_plan.of(run, key, dir, tree, changes, "")
    if #entries > 0 then
      merge_apply.land(run, dir, entries, left, function() done(left) end)
    else
      done(left)
    end
  end
  local ok, err
  for _ = 1, apply_tries do
    ok, err = pcall(once)
    if ok then return end
    -- If the rollback failed, the record of the merge still exists. Keep it for a later host.
    if merge_apply.pending(run, dir) then break end
    merge_apply.forget(run, dir)
    if not (type(err) == "table" and err.meanwhile) then break end
  end
  error(err, 0)
end

local function bring(run, key, dir, tree, changes, patch, left)
  local release = write_lock.hold(run, key)
  local carried
  local function done(behind)
    carried = merge_report.of(run, key, dir, tree, changes, left, behind, patch)
    if carried.kept then keep(tree) end
    merge_receipt.note(run, dir, carried)
  end
  local ok, err = pcall(function()
    local begun = merge_apply.pending(run, dir)
    if begun then
      merge_apply.go_on(run, dir, begun, function(entry)
        return again(run, key, dir, tree, changes, entry)
      end,
        function() done(begun.left) end)
    elseif #changes > 0 then
      apply(run, key, dir, tree, changes, done)
    else
      done {}
    end
  end)
  release()
  if ok then return carried end
  if type(err) == "table" and err.class == "conflict" then
    local place = "its changes are in " .. run.absolute(patch)
    err.hint = err.hint and err.hint .. "; " .. place or place
  end
  error(err, 0)
end

local function carry(run, key, dir, tree, confirm)
  local patch = dir .. "/changes.patch"
  return worktree_changes.with(run, key, dir, tree, patch, function(changes, left)
    local taken, held = worktree_changes.split(changes)
    local deleted = not merge_apply.pending(run, dir)
      and worktree_changes.mass_deletion(taken, left.tracked)
    if deleted then confirm(run, key, deleted, left.tracked) end
    for i, change in ipairs(held) do left.held[i] = change.path end
    if held[1] then
      worktree_changes.write_patch(run, key, dir, tree, held, dir .. "/held-back.patch")
    end
    return bring(run, key, dir, tree, taken, patch, left)
  end)
end

--- Removes a discarded worktree after saving its changes as a patch. Keeps the worktree if no patch
--- can be made.
---@param dir string    folder of the step, below `.agent`
---@param name string   name of the patch in that folder
---@return string? text  a note for a person
function M.drop(run, key, dir, tree, name)
  local folder, last = split(tree.path)
  local root, text = files.root(folder), nil
  local ruin = root and tree.base and files.is_there(root, last) and worktree_changes.ruin(tree)
  if ruin then
    keep(tree)
    return ("the worktree %s, and is kept: %s drops it"):format(ruin,
      kept_worktrees.removal(tree.path))
  end
  if tree.base and root and files.is_there(root, last) then
    local patch = dir .. "/" .. name
    local ok, count = pcall(worktree_changes.with, run, key, dir, tree, patch, function(changes)
      return #changes
    end)
    if not ok then
      keep(tree)
      return ("the agent's changes are left in %s, because no patch could be made of them (%s): "
        .. "%s drops them"):format(
        tree.path, type(count) == "table" and tostring(count.message) or tostring(count),
        kept_worktrees.removal(tree.path))
    end
    if count == 0 then
      core.file.remove(files.must(core.file.root(run.absolute(dir))), name)
    else
      text = ("the agent's changes (%d %s) are not merged, and are in %s/%s"):format(count,
        count == 1 and "file" or "files", run.absolute(dir), name)
    end
  end
  M.remove(run, key, tree)
  return text
end

--- Returns a hint with the commands by which the user can continue after work was not merged.
local function ways_on(run, tree)
  if tree.reviewed then
    return ("moonlet run replay %s repeats the task on your files; or merge them by hand, then "
      .. "moonlet review reject %s"):format(run.id, run.id)
  end
  return ("make your files fit, or merge it by hand and drop the worktree: %s; then moonlet "
    .. "resume %s"):format(
    kept_worktrees.removal(tree.path), run.id)
end

--- Marks a worktree as kept, and adds commands for the user to the error `err`.
--- Also emits a warning, because a script may discard the error.
local function tell_kept(run, key, tree, err)
  keep(tree)
  local ways = ways_on(run, tree)
  run.emit("warning",
    { step = key, text = "the agent's work is not merged, and is kept: " .. ways })
  if type(err) ~= "table" then return end
  err.hint = (err.hint and err.hint .. "; " or "") .. ways
end

--- Merges a worktree into the repository's work tree and writes `changes.patch`.
--- On a conflict the work tree stays unchanged, the worktree is kept and an error is raised.
--- A started merge cannot be cancelled, and is resumed from its record if the host is killed.
---@param dir string   folder of the step, below `.agent`
---@param confirm (fun(run: table, key: string, deleted: string[], total: integer))?  asks a person
---   `confirm` is called before a merge that deletes most files, and raises an error on a refusal.
---@return string[] paths, string? warning, string[]? held  files that are held back for review
function M.merge(run, key, dir, tree, confirm)
  local ok, carried = true, tree.carried
  if not carried then ok, carried = pcall(carry, run, key, dir, tree, confirm) end
  if not ok then
    local is_parked = type(carried) == "table" and rawget(carried, "kind") == "parked"
    if not is_parked then tell_kept(run, key, tree, carried) end
    error(carried, 0)
  end
  -- If the leftover files cannot be removed now, a resumed host removes them.
  pcall(merge_apply.forget, run, dir)
  if carried.warning then run.emit("warning", { step = key, text = carried.warning }) end
  if carried.kept then
    forget_raw(tree)
  else
    local removed, why = merge_apply.shielded(M.remove, run, key, tree)
    if not removed then
      run.emit("warning",
        { step = key, text = ("the worktree is merged, and could not be removed: %s; %s drops it")
        :format(type(why) == "table" and tostring(why.message) or tostring(why),
          kept_worktrees.removal(tree.path)) })
    end
  end
  return carried.paths, carried.warning, carried.held
end

---@class moonlet.HeldWork     changes in a worktree that wait for a review
---@field path string      path of the worktree
---@field result string    tree object of the agent's changes
---@field patch string     file with the changes, relative to `.agent`
---@field sha256 string    hash of the patch file
---@field files string[]
---@field folders string[]  new empty folders

--- Keeps a worktree's changes for a review: writes their patch and merges nothing.
---@param dir string   folder of the step, below `.agent`
---@return moonlet.HeldWork
function M.hold(run, key, dir, tree)
  local patch = dir .. "/changes.patch"
  return worktree_changes.with(run, key, dir, tree, patch, function(changes, left, env)
    local paths = core.json.array {}
    for i = 1, math.min(#changes, merge_report.listed) do paths[i] = changes[i].path end
    for _, folder in ipairs(left.folders) do paths[#paths + 1] = folder .. "/" end
    local result = #changes == 0 and tree.base
      or git(run, key, tree.path, { "write-tree" }, { env = env }).stdout:match "%x+"
    local folder = files.must(core.file.root(run.absolute(dir)))
    local text = files.read(folder, "changes.patch", patch_cap)
    return { path = tree.path, result = result, patch = patch,
      sha256 = core.text.sha256(text or ""), files = paths,
      folders = core.json.array(left.folders) }
  end)
end

--- Opens the worktree of reviewed changes again, or returns nil if it is missing.
local function reopened(run, dir, held)
  local folder, name = split(held.path)
  local root = files.root(folder)
  local carried = merge_receipt.read(run, dir)
  if not carried and not (root and files.is_there(root, name)) then return nil end
  local tree = { path = held.path, common = plumbing.facts(run).common, dir = dir,
    result = held.result, folders = held.folders, carried = carried, reviewed = true }
  if carried then return tree end
  tree.base, tree.branch = read_base(root, name)
  if not tree.base then return nil end
  tree.git_dir = tree.common .. "/worktrees/" .. (admin_folder.find(tree.common, tree.path) or name)
  tree.raw = plumbing.open(run, worktree_places.raw(folder, name))
  return tree
end

--- Merges changes that a person has approved. On a conflict, raises an error and leaves the work
--- tree unchanged.
---@param held moonlet.HeldWork
function M.take(run, key, dir, held)
  local tree = reopened(run, dir, held)
  if not tree then
    error({ kind = "lost", message = ("the worktree of the changes is gone: %s"):format(held.path),
      hint = ("they are in %s: merge them by hand, then moonlet review reject %s"):format(
        run.absolute(held.patch),
        run.id) }, 0)
  end
  local paths, _, held_back = M.merge(run, key, dir, tree)
  return paths, held_back
end

--- Removes the worktree of reviewed changes, but not their patch.
---@param held moonlet.HeldWork
function M.put_away(run, key, dir, held)
  local tree = reopened(run, dir, held)
  if tree then M.remove(run, key, tree) end
end

--- Reports the merge that an earlier host completed for an attempt that will not be resumed.
---@param dir string    folder of the step, below `.agent`
---@param path string   path of the worktree
---@return string[]? paths  merged paths; nil if there was no merge
function M.end_merged(run, key, dir, path)
  local carried = merge_receipt.read(run, dir)
  if not carried then return nil end
  return (M.merge(run, key, dir, { path = path, common = plumbing.facts(run).common, dir = dir,
    carried = carried }))
end

--- Keeps the worktree of an abandoned attempt for the user, and warns about it.
--- If an earlier host completed the attempt's merge but did not report it, reports the merge and
--- returns the merged files.
---@param dir string    folder of the step, below `.agent`
---@param path string?  path of the worktree
---@param replaced boolean?  a later attempt replaces the worktree and reports its content
function M.give_up(run, key, dir, path, replaced)
  local paths = path and M.end_merged(run, key, dir, path)
  if paths or not path then return paths end
  local folder, name = split(path)
  local root = not replaced and files.root(folder)
  if root and files.is_there(root, name) then
    keep { path = path }
    run.emit("warning",
      { step = key, text = ("the agent's work is left in %s: %s drops it"):format(path,
      kept_worktrees.removal(path)) })
  end
end

--- Deletes the discarded worktrees in the folder of the worktree `tree`.
---@param run table
---@param key string
---@param tree moonlet.Worktree
function M.sweep(run, key, tree) pool.sweep(run, key, (split(tree.path))) end

--- Returns the number of a repository's pooled worktrees, and their size in bytes.
---@param home table
---@return integer count, integer bytes
function M.waiting(home)
  local looked, parent = pcall(worktree_places.parent, home)
  if not looked or not parent then return 0, 0 end
  return pool.size(parent)
end

--- Removes a repository's pooled worktrees.
---@param home table
---@return integer count
function M.empty_pool(home)
  local parent, common = worktree_places.parent(home), select(3, host_git.dirs(home.top))
  if not parent or not common then return 0 end
  local count
  local run = { id = "prune", home = home, emit = function() end, absolute = function(path)
    return path
  end }
  write_lock.with_worktrees(run, "prune", function() count = pool.empty(common, parent) end)
  return count
end

return M
