--- Collects the changes in an agent's worktree as a patch. Lists the files that git cannot store.
--- Decides which changes are merged without approval.
local startup_files = require "moonlet.engine.base.startup_files"
local restore = require "moonlet.engine.workspace.pool.restore"
local listed_changes = require "moonlet.engine.workspace.pool.listed_changes"
local worktree_seed = require "moonlet.engine.workspace.worktree_seed"
local host_file = require "moonlet.engine.base.files"
local host_git = require "moonlet.engine.workspace.git"
local nested_repos = require "moonlet.engine.workspace.nested_repos"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local plumbing = require "moonlet.engine.workspace.plumbing"

local M = {}

local git = scratch_index.git
local list_cap = core.process.largest_cap
--- A person must confirm a merge that deletes more than this number of files, if these are also
--- more than half of all files.
local many_deleted = 10

local function diff(tree, ...)
  -- Do not compress new git objects, because they are deleted soon.
  local command = { "-c", "core.looseCompression=-1", "diff", "--cached",
    "--ignore-submodules=all", ... }
  for _, option in ipairs(host_git.diff_options) do command[#command + 1] = option end
  command[#command + 1] = tree.base
  return command
end

local function is_ours(path) return path == ".agent" or path:sub(1, 7) == ".agent/" end

local function version(mode, id) return tonumber(mode) ~= 0 and { mode = mode, id = id } or nil end

--- Lists the agent's changes. A file at a path that was not checked out counts as new.
---@return moonlet.Change[]
local function changes_of(run, key, tree, env, unseen)
  local exit = git(run, key, run.top, diff(tree, "--raw", "-z", "--no-abbrev"),
    { cap = list_cap, env = env })
  local list = {}
  for was, is, old, new, state,
      path in exit.stdout:gmatch(":(%d+) (%d+) (%x+) (%x+) (%u)%d*%z([^%z]+)%z") do
    local change = { state = state, path = path, was = version(was, old), is = version(is, new) }
    if unseen[path] and change.is then change.state, change.was = "A", nil end
    list[#list + 1] = change
  end
  return list
end

--- Describes the parts of a worktree that a merge leaves out or treats separately.
---@class moonlet.LeftBehind
---@field histories string[]   folders that are repositories with their own history
---@field files string[]       files that git refuses
---@field ours string[]        files below .agent, which belong to moonlet
---@field submodules string[]  removed submodules
---@field held string[]         files that start programs, held back for review
---@field folders string[]      new empty folders, which git does not track
---@field tracked integer       number of files in the worktree before the agent started

-- Reports whether a path is hidden, such as .codex or src/.vscode.
local function is_hidden(path) return path:find("^%.") ~= nil or path:find("/.", 1, true) ~= nil end

--- Returns the new empty folders. Skips hidden folders, which sandboxes make as mount points.
local function new_folders(folders, entries)
  local known, list = {}, {}
  for _, entry in ipairs(#folders > 0 and entries or {}) do
    -- Add the entry's own path, too, because the path of a submodule is a folder.
    local path = entry.path
    while path and not known[path] do
      known[path] = true
      path = path:match "^(.*)/[^/]+$"
    end
  end
  for _, path in ipairs(folders) do
    if not known[path] and not is_ours(path) and not is_hidden(path) then list[#list + 1] = path end
  end
  return list
end

--- Adds all files in the worktree to a scratch index, even ignored files.
---@return moonlet.LeftBehind, table<string, true> unseen  tracked files that were not checked out
local function gather(run, key, dir, tree, env)
  local kept = restore.kept(tree.raw)
  local function is_kept(path)
    for _, folder in ipairs(kept) do
      if path == folder or path:sub(1, #folder + 1) == folder .. "/" then return true end
    end
    return false
  end
  local root = host_file.must(core.file.root(tree.path))
  local begun = scratch_index.copy(worktree_seed.index(tree.raw), env.GIT_INDEX_FILE)
  if not begun then git(run, key, tree.path, { "read-tree", tree.base }, { env = env }) end
  local left, known, ours = { ours = {}, held = {} }, {}, {}
  local entries, unseen = scratch_index.entries(run, key, env), {}
  left.tracked = #entries
  left.submodules = nested_repos.refuse_submodules(root, tree.path, entries)
  for _, entry in ipairs(entries) do unseen[entry.path] = entry.tag == "S" or nil end
  scratch_index.see(run, key, dir, tree.path, root, entries, env)
  local changed, gone = scratch_index.tracked_changes(run, key, tree.path,
    { "diff-files", "--name-status", "-z", "--no-renames", "--ignore-submodules=all" }, env)
  local function mine(paths)
    local list = {}
    for _, path in ipairs(paths) do
      local own = is_ours(path) and ours or list
      own[#own + 1] = path
    end
    return list
  end
  changed, gone = mine(changed), mine(gone)
  local others = git(run, key, tree.path, { "ls-files", "--others", "-z" },
    { cap = list_cap, env = env, whole = true })
  for path in others.stdout:gmatch("([^%z]+)%z") do
    if is_kept(path) then
      known[path] = true
    elseif path:sub(-1) == "/" and not is_ours(path) then
      nested_repos.files(root, path:sub(1, -2), changed)
    elseif not is_ours(path) then
      changed[#changed + 1] = path
    end
  end
  scratch_index.take(run, key, dir, tree.path, changed, gone, env)
  for _, entry in ipairs(scratch_index.entries(run, key, env)) do known[entry.path] = true end
  for _, path in ipairs(ours) do known[path] = false end
  local files
  left.histories, files, left.folders = nested_repos.left_behind(root, known, is_kept)
  left.folders = new_folders(left.folders, entries)
  left.files = {}
  for _, path in ipairs(files) do
    local list = is_ours(path) and left.ours or left.files
    list[#list + 1] = path
  end
  for _, path in ipairs(ours) do
    if not core.file.stat(root, path) then left.ours[#left.ours + 1] = path end
  end
  return left, unseen
end

--- Compares a worktree with the host's list of its files, and adds the changes to a scratch index.
--- Returns nil if only git can find the changes.
---@return moonlet.LeftBehind?
---@return table<string, true> unseen
---@return boolean? is_unchanged  true if there is no change and thus no index
local function gather_listed(run, key, dir, tree, env)
  local found = listed_changes.find(tree)
  if not found then return nil, {} end
  local left = { histories = {}, files = {}, ours = {}, submodules = {}, held = {}, folders = {},
    tracked = found.files }
  for _, path in ipairs(found.folders) do
    if not is_ours(path) and not is_hidden(path) then left.folders[#left.folders + 1] = path end
  end
  local function mine(paths)
    local list = {}
    for _, path in ipairs(paths) do
      local own = is_ours(path) and left.ours or list
      own[#own + 1] = path
    end
    return list
  end
  local changed, gone = mine(found.changed), mine(found.gone)
  if #changed + #gone == 0 then return left, {}, true end
  if not scratch_index.copy(worktree_seed.index(tree.raw), env.GIT_INDEX_FILE)
    or not scratch_index.take(run, key, dir, tree.path, changed, gone, env) then return nil, {} end
  return left, {}
end

--- Writes the differences between the worktree's initial files and an index as a patch.
local function write_diff(run, key, dir, tree, patch, env)
  git(run, key, run.top, diff(tree, "--binary", "--full-index"), { stdout_file = patch, env = env })
  -- The patch may contain text of private files, so only the user may read it.
  local folder = host_file.must(core.file.root(run.absolute(dir)))
  host_file.must(core.file.set_mode(folder, patch:match("[^/]+$"), 384))
end

--- Reads the agent's changes that are held for a review. Uses their recorded tree object, because
--- checks may have added files to the worktree since.
local function gather_held(run, key, _, tree, env)
  git(run, key, tree.path, { "read-tree", tree.base }, { env = env })
  local left = { ours = {}, held = {}, histories = {}, files = {}, submodules = {},
    folders = tree.folders or {}, tracked = #scratch_index.entries(run, key, env) }
  git(run, key, tree.path, { "read-tree", tree.result }, { env = env })
  return left, {}
end

--- Calls fn(changes, left, env) with the agent's changes, and writes the changes to `patch`.
--- `left` lists what a merge leaves out. `env` names an index that git commands in fn can use; the
--- index exists only if there are changes.
---@param dir string    folder of the step, below `.agent`
---@param fn fun(changes: moonlet.Change[], left: moonlet.LeftBehind, env: table<string, string>): any
function M.with(run, key, dir, tree, patch, fn)
  return scratch_index.with(tree.raw.path, "gathered", function(own)
    local env = plumbing.env(tree.raw, tree.path, own.GIT_INDEX_FILE)
    local way = tree.result and gather_held or gather_listed
    local ok, left, unseen, is_unchanged = pcall(way, run, key, dir, tree, env)
    if not ok and tree.result then error(left, 0) end
    if is_unchanged then
      run.write_artifact(patch, "")
      return fn({}, left, env)
    end
    if not ok or not left then ok, left, unseen = pcall(gather, run, key, dir, tree, env) end
    if not ok then
      -- The agent may have made folders unreadable, so make them readable. Git does not track the
      -- modes of folders.
      nested_repos.open_folders(run, key, tree.path)
      left, unseen = gather(run, key, dir, tree, env)
    end
    local changes = changes_of(run, key, tree, env, unseen)
    write_diff(run, key, dir, tree, patch, env)
    return fn(changes, left, env)
  end)
end

--- Lists the files that the agent changed, and its new empty folders.
---@param dir string    folder of the step, below `.agent`
function M.paths(run, key, dir, tree)
  if M.ruin(tree) or tree.carried then return {}, {} end
  local patch = dir .. "/recorded.patch"
  local found = M.with(run, key, dir, tree, patch, function(changes, left)
    local list = {}
    for i, change in ipairs(changes) do list[i] = change.path end
    return { list, left.folders }
  end)
  core.run.remove(patch)
  return found[1], found[2]
end

--- Applies a patch to a worktree byte for byte, without the repository's git settings.
---@param patch string  absolute path
---@param reverse boolean?  reverts the patch
function M.apply(run, key, tree, patch, reverse)
  local words = { "apply", "--whitespace=nowarn", patch }
  if reverse then table.insert(words, 2, "--reverse") end
  git(run, key, tree.path, words, { env = { GIT_DIR = "/none" } })
end

--- Splits changes into two lists: changes to merge, and changes of files that can start programs.
--- A merge holds back the second list for a person.
---@param changes moonlet.Change[]
---@return moonlet.Change[] taken, moonlet.Change[] held
function M.split(changes)
  local taken, held = {}, {}
  for _, change in ipairs(changes) do
    local list = startup_files.has(change.path) and held or taken
    list[#list + 1] = change
  end
  return taken, held
end

--- Returns the deleted files if they are many and more than half of `total`, otherwise nil.
--- A moved file does not count as deleted.
---@param changes moonlet.Change[]
function M.mass_deletion(changes, total)
  local paths, made = {}, {}
  for _, change in ipairs(changes) do
    if not change.was and change.is then made[change.is.id] = (made[change.is.id] or 0) + 1 end
  end
  for _, change in ipairs(changes) do
    local id = not change.is and change.was and change.was.id
    if id and (made[id] or 0) > 0 then
      made[id] = made[id] - 1
    elseif id then
      paths[#paths + 1] = change.path
    end
  end
  return #paths > many_deleted and #paths * 2 > total and paths or nil
end

--- Writes a patch that contains only the given changes.
---@param dir string    folder of the step, below `.agent`
---@param changes moonlet.Change[]
function M.write_patch(run, key, dir, tree, changes, patch)
  scratch_index.with(tree.raw.path, "held", function(own)
    local env, lines = plumbing.env(tree.raw, tree.path, own.GIT_INDEX_FILE), {}
    git(run, key, tree.path, { "read-tree", tree.base }, { env = env })
    for i, change in ipairs(changes) do
      local is = change.is or { mode = "0", id = ("0"):rep(#change.was.id) }
      lines[i] = ("%s %s\t%s"):format(is.mode, is.id, change.path)
    end
    scratch_index.feed(run, key, dir, tree.path, { "update-index", "-z", "--index-info" }, lines,
      { env = env })
    write_diff(run, key, dir, tree, patch, env)
  end)
end

--- Reports whether a folder contains any file, apart from `.git` at the top.
local function holds_files(root, folder)
  for _, entry in ipairs(core.file.list(root, folder) or {}) do
    local path = folder == "." and entry.name or folder .. "/" .. entry.name
    if path ~= ".git" and (entry.type ~= "directory" or holds_files(root, path)) then
      return true
    end
  end
  return false
end

local empty_trees = { ["4b825dc642cb6eb9a060e54bf8d69288fbee4904"] = true,
  ["6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"] = true }

--- Describes how the agent has destroyed its worktree, or returns nil if the worktree is usable.
function M.ruin(tree)
  if tree.carried then return nil end
  local root = host_file.root(tree.path)
  if not root then return "is not there any more" end
  if not host_file.is_there(root, ".git") then return "has lost its .git" end
  if not empty_trees[tree.base] and not holds_files(root, ".") then return "was emptied" end
end

return M
