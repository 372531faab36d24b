--- Compares a worktree with the host's list of its files, restores it, and moves it to a new base.
--- No agent can write to the list or to the worktree's git index.
local cooperative = require "moonlet.engine.base.cooperative"
local files = require "moonlet.engine.base.files"
local plumbing = require "moonlet.engine.workspace.plumbing"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local worktree_seed = require "moonlet.engine.workspace.worktree_seed"

local M = {}

local git = scratch_index.git
--- Restoring more files than this is not faster than a new checkout.
local most_restored = 20000
M.list_name, M.base_name = "tree.list", "tree.base"
local new_list_name, kept_name, ready_name = "tree.new", "tree.kept", "tree.ready"
--- The list has this name while the worktree changes to a new base. If the host dies meanwhile, no
--- later host mistakes the list for a valid one.
local moving_name = "tree.moving"

--- Lists the lock files in which package managers fix the versions of packages.
local lock_files = {}
for name in ([[package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock Cargo.lock
    poetry.lock uv.lock pdm.lock Pipfile.lock requirements.txt Gemfile.lock composer.lock go.sum mix.lock
    pubspec.lock packages.lock.json gradle.lockfile Package.resolved flake.lock
    conan.lock]]):gmatch "%S+" do
  lock_files[name] = true
end

local function fail(message) error({ kind = "failed", message = message }, 0) end

--- Records the tree object of the files with which a worktree was created.
local function write_base(lists, beginning)
  files.write(lists, M.base_name,
    beginning.tree .. (beginning.has_submodules and " submodules\n" or "\n"))
end

--- Reports whether a worktree may contain submodules.
---@param raw moonlet.RawGit
function M.has_submodules(raw)
  local lists = core.file.root(raw.path)
  return not (lists and files.read(lists, M.base_name, 200) or ""):find "^%x+\n"
end

--- Returns the kept folders: they stay in a pooled worktree, and the list of its files omits them.
---@param raw moonlet.RawGit
---@return string[]
function M.kept(raw)
  local lists, list = core.file.root(raw.path), {}
  for path in (lists and files.read(lists, kept_name, 1 << 16) or ""):gmatch "[^\n]+" do
    list[#list + 1] = path
  end
  return list
end

--- Reports whether a path in a worktree is a folder, rather than a link that an agent made.
local function is_folder(root, path)
  local info = core.file.stat(root, path)
  return info ~= nil and info.type == "directory"
end

local function hash_of(setup) return core.text.sha256(table.concat(setup, "\0")) end

--- Reports whether this set-up program has already filled the kept folders, and all of them exist.
---@param setup string[]  program and arguments
function M.is_ready(path, raw, setup)
  local root, lists = core.file.root(path), core.file.root(raw.path)
  local hash, filled = (lists and files.read(lists, ready_name, 1 << 16)
    or ""):match "^(%x+)\n(.*)$"
  if not root or hash ~= hash_of(setup) then return false end
  for folder in filled:gmatch "[^\n]+" do
    if not is_folder(root, folder) then return false end
  end
  return true
end

--- Records that the set-up program has run, and which of the kept folders now exist.
---@param setup string[]  program and arguments
function M.set_ready(path, raw, setup)
  local root, filled = files.must(core.file.root(path)), {}
  for _, kept in ipairs(M.kept(raw)) do
    if is_folder(root, kept) then filled[#filled + 1] = kept end
  end
  files.write(files.must(core.file.root(raw.path)), ready_name,
    hash_of(setup) .. "\n" .. table.concat(filled, "\n"))
end

--- Discards the kept folders of a worktree, such as node_modules, because they became useless. Only
--- renames them; pool.sweep() deletes them later.
function M.drop_kept(path, raw)
  local parent, name = path:match "^(.*)/([^/]+)$"
  local root, lists = files.must(core.file.root(parent)), files.must(core.file.root(raw.path))
  files.must(core.file.remove(lists, ready_name))
  for _, kept in ipairs(M.kept(raw)) do
    if core.file.stat(root, name .. "/" .. kept) then
      files.must(core.file.rename(root, name .. "/" .. kept, "trash-" .. core.clock.random_hex(6)))
    end
  end
end

--- Returns the new parent folders of kept folders, such as vendor for vendor/bundle.
---@param before table<string, string>
---@param after table<string, string>
---@return table<string, boolean>
local function folders_around(root, kept, before, after)
  local found = {}
  for _, path in ipairs(kept) do
    local folder = is_folder(root, path) and path:match "^(.*)/"
    while folder do
      if after[folder] == "d" and not before[folder] then found[folder] = true end
      folder = folder:match "^(.*)/"
    end
  end
  return found
end

--- Reports whether the kept folders have become useless, because a lock file or a parent of a kept
--- folder has changed.
local function spoils_kept(kept, touched)
  for path in pairs(touched) do
    if lock_files[path:match "[^/]*$"] then return true end
    for _, folder in ipairs(kept) do
      if folder:sub(1, #path + 1) == path .. "/" then return true end
    end
  end
  return false
end

--- Removes a link or file with which an agent has replaced a kept folder.
local function refuse_links(root, kept)
  for _, path in ipairs(kept) do
    local info = core.file.stat(root, path)
    if info and info.type ~= "directory" then files.must(core.file.remove(root, path)) end
  end
end

--- Records a list of the files in a new worktree.
---@param path string     path of the worktree
---@param raw moonlet.RawGit
---@param beginning moonlet.Beginning
---@param kept string[]   folders to keep in the worktree
function M.note(path, raw, beginning, kept)
  local root, lists = files.must(core.file.root(path)), files.must(core.file.root(raw.path))
  files.write(lists, kept_name, table.concat(kept, "\n"))
  -- A discarded worktree of the same name may have left this file.
  core.file.remove(lists, ready_name)
  -- Write the list last, because a pooled worktree without a list is not used.
  core.file.remove(lists, M.list_name)
  write_base(lists, beginning)
  files.must(core.tree.update(root, lists, nil, M.list_name, nil, kept))
end

--- Compares a worktree with its list. Returns two maps from differing paths to their types, as
--- listed and as found.
---@param path string     path of the worktree
---@param raw moonlet.RawGit
---@param name string?    name of the list
---@return table<string, string>? before  nil if there is no list
---@return table<string, string> after
---@return integer files  number of files in the list
function M.differences(path, raw, name)
  local lists = core.file.root(raw.path)
  name = name or M.list_name
  if not lists or not core.file.stat(lists, name) then return nil, {}, 0 end
  local found = files.must(core.tree.update(files.must(core.file.root(path)), lists, name, nil, nil,
    M.kept(raw)))
  return found.before, found.after, found.files
end

--- Updates the list of a worktree's files after these paths have changed.
--- Raises an error if any other path has changed.
local function accept(path, raw, touched, list_name)
  local root, lists = files.must(core.file.root(path)), files.must(core.file.root(raw.path))
  local only, wanted = {}, {}
  for name in pairs(touched) do only[#only + 1] = name end
  local found = files.must(core.tree.update(root, lists, list_name, new_list_name, only,
    M.kept(raw)))
  -- A change of a path may also create or remove its parent folders.
  for _, name in ipairs(only) do
    while name and not wanted[name] do
      wanted[name] = true
      name = name:match "^(.*)/[^/]*$"
    end
  end
  local function is_expected(name, kind)
    if wanted[name] and (kind == "d" or touched[name]) then return true end
    while name and not touched[name] do name = name:match "^(.*)/[^/]*$" end
    return name ~= nil
  end
  for _, list in ipairs { found.before, found.after } do
    for name, kind in pairs(list) do
      if not is_expected(name, kind) then
        fail("a file changed meanwhile: " .. core.text.printable(name, 200))
      end
    end
  end
  files.must(core.file.rename(lists, new_list_name, list_name))
end

--- Removes the changed files and folders, except the new parents of kept folders (`around`).
--- Returns the files to check out again, or nil if all files must be checked out.
local function remove_changed(root, before, after, around)
  local paths, tracked = {}, {}
  for path in pairs(after) do
    if not around[path] then paths[#paths + 1] = path end
  end
  if #paths > most_restored then fail "too many files differ" end
  table.sort(paths)
  local removed, is_whole = "/", false
  for _, path in ipairs(paths) do
    if path == "" then fail "its own folder was changed" end
    if (path .. "/"):sub(1, #removed) ~= removed then
      files.must(cooperative.remove(root, path))
      removed = path .. "/"
    end
    -- Removing a changed folder also removes its unchanged files, so check out everything.
    is_whole = is_whole or before[path] == "d"
  end
  for path, kind in pairs(before) do
    if kind ~= "d" then tracked[#tracked + 1] = path end
  end
  return not is_whole and tracked or nil
end

--- Restores the content of a worktree after an agent. Raises an error if that is not possible.
---@param run table
---@param key string
---@param dir string      folder of the step, below `.agent`
---@param path string     path of the worktree
---@param raw moonlet.RawGit
---@param known table?    result of differences() at the agent's end: before and after
function M.clean(run, key, dir, path, raw, known)
  local before, after
  if known then
    -- If a file has changed since, prove() fails later and the worktree is discarded.
    before, after = known[1], known[2]
  else
    before, after = M.differences(path, raw)
  end
  if not before then fail "it has no list of its files" end
  local kept, root = M.kept(raw), files.must(core.file.root(path))
  refuse_links(root, kept)
  if not next(before) and not next(after) then return end
  local touched, changed, around = {}, {}, folders_around(root, kept, before, after)
  for _, list in ipairs { before, after } do
    for name, kind in pairs(list) do
      touched[name] = true
      if not around[name] then changed[name] = kind end
    end
  end
  if kept[1] and spoils_kept(kept, changed) then M.drop_kept(path, raw) end
  local tracked = remove_changed(root, before, after, around)
  local env = plumbing.env(raw, path, worktree_seed.index(raw))
  local words = { "checkout-index", "--force", "--index", "--quiet" }
  if tracked then
    table.move({ "-z", "--stdin" }, 1, 2, #words + 1, words)
    scratch_index.feed(run, key, dir, path, words, tracked, { env = env })
  else
    words[#words + 1] = "--all"
    git(run, key, path, words, { env = env })
  end
  accept(path, raw, touched, M.list_name)
end

--- Renames the list of a pooled worktree, to mark that the worktree is changing to a new base.
---@param lists any    opened folder of the worktree's git files
---@return true? begun
function M.begin_move(lists) return core.file.rename(lists, M.list_name, moving_name) end

--- Undoes begin_move(), which renamed the list of a worktree's files. Called when the worktree is
--- in its new place.
---@param raw moonlet.RawGit
function M.end_move(raw)
  files.must(core.file.rename(files.must(core.file.root(raw.path)), moving_name, M.list_name))
end

--- Raises an error if the content of a worktree differs from its list. Called after begin_move().
---@param path string     path of the worktree
---@param raw moonlet.RawGit
function M.prove(path, raw)
  local before, after = M.differences(path, raw, moving_name)
  if not before then fail "it has no list of its files" end
  if not worktree_seed.is_index_whole(raw) then fail "its git index is damaged" end
  local changed = next(before) or next(after)
  if changed then fail("a file changed while it waited: " .. core.text.printable(changed, 200)) end
end

--- Changes a worktree to a new base, and writes only the files that differ between the bases.
--- The caller must have called prove() for the worktree.
---@param run table
---@param key string
---@param path string     path of the worktree
---@param raw moonlet.RawGit
---@param beginning moonlet.Beginning  new base of the worktree
---@param kept string[]   folders to keep in the worktree
function M.move(run, key, path, raw, beginning, kept)
  local lists, base = files.must(core.file.root(raw.path)), beginning.tree
  local old = (files.read(lists, M.base_name, 200) or ""):match "^%x+"
  if not old then fail "it has no list of its files" end
  if table.concat(kept, "\n") ~= table.concat(M.kept(raw), "\n") then
    fail "other folders are kept now"
  end
  if old == base then return end
  local env, touched = plumbing.env(raw, path, worktree_seed.index(raw)), {}
  local exit = git(run, key, path, { "diff-tree", "-r", "-z", "--name-only", "--no-renames",
    old, base }, { env = env, cap = core.process.largest_cap })
  for name in exit.stdout:gmatch "([^%z]+)%z" do touched[name] = true end
  if kept[1] and spoils_kept(kept, touched) then M.drop_kept(path, raw) end
  git(run, key, path, { "read-tree", "-m", "-u", "--no-recurse-submodules", old, base },
    { env = env })
  write_base(lists, beginning)
  if next(touched) then accept(path, raw, touched, moving_name) end
end

return M
