--- Fills a new worktree with the user's files byte for byte, without ignored files.
--- HEAD of the worktree is a commit of these files, so git reports no changes in the new worktree.
--- The user's index is read and never written.
local background = require "moonlet.engine.base.background"
local conversions = require "moonlet.engine.workspace.seed.conversions"
local files = require "moonlet.engine.base.files"
local host_git = require "moonlet.engine.workspace.git"
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local per_run = require "moonlet.engine.base.per_run"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local plumbing = require "moonlet.engine.workspace.plumbing"
local status = require "moonlet.engine.workspace.seed.status"
local untracked = require "moonlet.engine.workspace.seed.untracked"
local write_lock = require "moonlet.engine.workspace.write_lock"

local M = {}

local git = scratch_index.git
local most_looks, first_pause_ms = 5, 10
--- At least so many bytes at the end of a git index are a hash.
local hash_bytes = 20

local function refuse_unmerged(paths)
  if not paths[1] then return end
  error({ kind = "failed",
    message = ("a worktree cannot begin in the middle of a merge: %s is unmerged"):format(
    core.text.printable(paths[1], 200)),
    hint = "resolve it and git add it, or abort the merge (git merge --abort, git rebase "
      .. "--abort); or declare "
      .. "writes = { … }" }, 0)
end

--- Returns the commit that is checked out, and its tree object.
local function head_of(run, key)
  -- git must read HEAD only once, because the user may commit meanwhile.
  local head = git(run, key, run.top,
    { "-c", "log.showSignature=false", "log", "-1", "--format=%H %T", "--no-color",
    "HEAD", "--" }, { may_fail = true })
  if head.code == 0 then return head.stdout:match "^(%x+) (%x+)" end
  -- If git cannot read the repository at all, this raises git's own error.
  git(run, key, run.top, { "rev-parse", "--git-dir" })
  error({ kind = "failed", message = "a worktree needs a commit to begin with, and there is none",
    hint = "commit something first, declare writes = { … }, or set in_place = true" }, 0)
end

--- Returns a commit with the given tree. No branch or tag points to the commit.
local function commit_of(run, key, head, head_tree, tree)
  if tree == head_tree then return head end
  return git(run, key, run.top, { "-c", "user.name=moonlet", "-c", "user.email=moonlet@localhost",
    "commit-tree", "-p", head, "-m", "The work tree as a step began", tree }).stdout:match("%x+")
end

local function write_tree(run, key, env)
  -- A partial clone may lack objects of files that are not checked out.
  return git(run, key, run.top, { "write-tree", "--missing-ok" }, { env = env }).stdout:match("%x+")
end

local function without(paths, set)
  local list = {}
  for _, path in ipairs(paths) do
    if not set[path] then list[#list + 1] = path end
  end
  return list
end

---@class moonlet.Beginning
---@field commit string                      commit to check out
---@field tree string                        tree object of the user's exact files
---@field others moonlet.IndexEntry[]        entries of files whose bytes differ from git's objects
---@field unseen string[]                    tracked files that are not checked out
---@field has_submodules boolean

--- Returns facts about a git index, or nil if only git can read the index's format.
---@return moonlet.IndexFacts?
local function facts_of(run, index)
  local id_bytes = plumbing.format(run) == "sha256" and 32 or 20
  local folder, name = index:match "^(.*)/([^/]+)$"
  return (core.tree.facts_of_index(files.must(core.file.root(folder)), name, id_bytes))
end

--- Finds changes of the user's files with git commands that ignore the repository's settings.
---@return moonlet.Status  without `head`
local function look_apart(run, key, index, shared)
  local changed, gone, unmerged = scratch_index.tracked_changes(run, key, run.top,
    { "diff-files", "--name-status", "-z", "--no-renames", "--ignore-submodules=dirty" }, shared)
  local listed, cut = untracked.list(run, key, index)
  return { changed = changed, gone = gone, unmerged = unmerged, untracked = listed, cut = cut }
end

---@class moonlet.IndexView
---@field facts moonlet.IndexFacts?
---@field filters boolean    a program or an encoding may convert files
---@field line_ends boolean  line ends may be converted
---@field is_plain boolean   git's objects have the same bytes as the files
---@field seen moonlet.Status?  changes of the user's files

--- Reads an index and finds out whether git converts files.
---@return moonlet.IndexView  without `seen`
local function view_of(run, index)
  local facts = facts_of(run, index)
  local view = { facts = facts, filters = true, line_ends = true }
  if facts then
    view.filters, view.line_ends = conversions.possible(run, conversions.settings(run), facts)
  end
  view.is_plain = facts ~= nil and not (view.filters or view.line_ends or facts.has_flags)
  return view
end

--- Remembers whether the run's repository converts files. If it does, `git status` is not started,
--- because its result could not be used.
local kind_of_run = per_run(function() return { is_plain = true } end)

--- Returns a value that changes whenever the file is written, or nil if there is no file.
local function stamp_of(path)
  local folder, name = path:match "^(.*)/([^/]+)$"
  local root = files.root(folder)
  local info = root and files.stat(root, name)
  return info and ("%d %d %d %d"):format(info.inode, info.size, info.mtime_ns, info.ctime_ns)
end

--- Returns a value that changes whenever HEAD changes, or nil if only git can tell.
local function stamp_of_head(run)
  local own, _, common, path = host_git.dirs(run.top)
  local branch = own and (files.read(own, "HEAD", 8192) or ""):match "^ref: (refs/heads/[^\r\n]+)"
  if not branch or host_git.settings(run)["extensions.refstorage"] then return nil end
  local place = common .. "/" .. branch
  -- A branch can be a symbolic ref to another branch.
  if (files.read_path(place, 100) or ""):find "^ref:" then return nil end
  return ("%s|%s|%s"):format(stamp_of(path .. "/HEAD"), stamp_of(place),
    stamp_of(common .. "/packed-refs"))
end

--- Reads the user's index while `git status` runs.
---@return moonlet.IndexView view, string[] heads  the commit that is checked out, and its tree object
local function view_users(run, key, users)
  local kind, stamp = kind_of_run(run), stamp_of_head(run)
  local function read_head() return table.pack(head_of(run, key)) end
  local is_seen, seen, is_read, heads, view = background.both(
    function() return kind.is_plain and status.of(run, key, users) or nil end,
    background.both, read_head, view_of, run, users)
  -- The status compared the index with this commit only if HEAD is still the same.
  if not is_read or not stamp or stamp ~= stamp_of_head(run) then heads = read_head() end
  kind.is_plain = view.is_plain and not view.facts.has_submodules
  view.seen = is_seen and kind.is_plain and seen or nil
  return view, heads
end

--- Returns the tracked files that are not checked out, after other files have replaced some of them.
local function still_unseen(run, key, env)
  local list = {}
  for _, entry in ipairs(scratch_index.entries(run, key, env)) do
    if entry.tag == "S" then list[#list + 1] = entry.path end
  end
  return list
end

local function look_closely(run, key, dir, raw, view, heads, stamp)
  return scratch_index.with(raw.path, "begin", function(own)
    local index, users = own.GIT_INDEX_FILE, plumbing.facts(run).index
    local shared = plumbing.env(raw, run.top, index, true)
    if not scratch_index.copy_users(run, key, users, index) then
      git(run, key, run.top, { "read-tree", heads[1] }, { env = own })
    end
    if stamp_of(users) ~= stamp then view = view_of(run, index) end
    local root = files.must(core.file.root(run.top))
    local facts, is_plain = view.facts, view.is_plain
    local entries = is_plain and {} or scratch_index.entries(run, key, shared)
    local others, unseen, again = {}, {}, {}
    scratch_index.see(run, key, dir, run.top, root, entries, shared)
    local seen = view.seen or look_apart(run, key, index, shared)
    refuse_unmerged(seen.unmerged)
    local changed, gone, missing = seen.changed, seen.gone, {}
    for _, path in ipairs(gone) do missing[path] = true end
    local converted = is_plain and {}
      or plumbing.converted(run, key, dir, entries, changed, shared, view.filters)
    for _, entry in ipairs(entries) do
      if entry.tag == "S" then unseen[#unseen + 1] = entry.path end
      if converted[entry.path] and not missing[entry.path] then
        others[#others + 1] = entry
        again[#again + 1] = entry.path
      end
    end
    changed = without(changed, converted)
    local new = untracked.files(run, key, root, seen.untracked, seen.cut)
    scratch_index.take(run, key, dir, run.top, changed, gone, shared)
    local _, refused = scratch_index.take(run, key, dir, run.top, new, {}, shared)
    untracked.tell(run, key, refused, "git refuses its name")
    if #unseen > 0 then unseen = still_unseen(run, key, shared) end
    local tree = write_tree(run, key, shared)
    local commit = commit_of(run, key, heads[1], heads[2], tree)
    if #others > 0 then
      local env = plumbing.env(raw, run.top, index)
      -- Write the entries without timestamps and flags, so that git compares the files' content.
      scratch_index.feed(run, key, dir, run.top, { "update-index", "-z", "--index-info" },
        scratch_index.info_of(others), { env = env })
      scratch_index.take(run, key, dir, run.top, again, {}, env)
      tree = write_tree(run, key, env)
    end
    return { commit = commit, tree = tree, others = others, unseen = unseen,
      has_submodules = not facts or facts.has_submodules }
  end)
end

--- Reports whether `git status` was read for this commit and listed no changed or untracked file.
local function is_clean(seen, commit)
  -- Compare the commits, because the user may have committed meanwhile.
  return seen ~= nil and seen.is_head and seen.head == commit
    and #seen.changed + #seen.gone + #seen.unmerged + #seen.untracked == 0
end

local function look(run, key, dir, raw)
  local users = plumbing.facts(run).index
  local stamp = stamp_of(users)
  local view, heads = view_users(run, key, users)
  if not is_clean(view.seen, heads[1]) then
    return look_closely(run, key, dir, raw, view, heads, stamp)
  end
  return { commit = heads[1], tree = heads[2], others = {}, unseen = {}, has_submodules = false }
end

--- Reports whether git failed, for example because a program wrote the user's files meanwhile.
local function is_of_git(err)
  return type(err) == "table" and tostring(rawget(err, "message")):find "^git %S+ failed" ~= nil
    and not infrastructure_error.is(err) and core.task.pending_error() == nil
end

--- Captures the user's current files, including uncommitted changes, as git objects.
---@param dir string    folder of the step, below `.agent`
---@return moonlet.Beginning
function M.state(run, key, dir, raw)
  -- Wait for running merges, so that no half-merged files are captured.
  local release = write_lock.hold_merges(run, key)
  local ok, begun
  for try = 1, most_looks do
    ok, begun = pcall(look, run, key, dir, raw)
    if ok or not is_of_git(begun) then break end
    if try < most_looks then core.task.sleep(first_pause_ms << (try - 1)) end
  end
  release()
  if not ok then error(begun, 0) end
  return begun
end

--- Returns the path of the git index of a worktree's initial files. Agents cannot change this index
--- or its modification time.
function M.index(raw) return raw.path .. "/begun.index" end

--- Reports whether a power cut has left the index of a worktree's initial files undamaged. Sectors
--- that did not reach the disk read as zeros.
---@param raw moonlet.RawGit
function M.is_index_whole(raw)
  local root = core.file.root(raw.path)
  local info = root and core.file.stat(root, "begun.index")
  if not info or info.size < hash_bytes then return false end
  return core.file.part(root, "begun.index", 0, 4) == "DIRC"
    and core.file.part(root, "begun.index", info.size - hash_bytes,
      hash_bytes) ~= ("\0"):rep(hash_bytes)
end

local function check_out(run, key, path, env)
  git(run, key, path, { "checkout-index", "--all", "--force", "--index", "--quiet" }, { env = env })
end

--- Fills an empty worktree with the files of HEAD.
---@param path string    path of the worktree
---@param raw moonlet.RawGit
---@return string tree   tree object of the files
function M.fill_with_head(run, key, path, raw)
  local _, tree = head_of(run, key)
  local env = plumbing.env(raw, path, M.index(raw))
  git(run, key, path, { "read-tree", tree }, { env = env })
  check_out(run, key, path, env)
  return tree
end

--- Fills an empty worktree with the captured files.
---@param path string    path of the worktree
---@param raw moonlet.RawGit
---@param beginning moonlet.Beginning
---@param filled string?  tree object of the files with which fill_with_head() has filled the worktree
function M.fill(run, key, dir, path, raw, beginning, filled)
  local env = plumbing.env(raw, path, M.index(raw))
  if filled then
    if filled ~= beginning.tree then
      git(run, key, path, { "read-tree", "-m", "-u", "--no-recurse-submodules", filled,
        beginning.tree }, { env = env })
    end
    return
  end
  git(run, key, path, { "read-tree", beginning.tree }, { env = env })
  scratch_index.feed(run, key, dir, path, { "update-index", "-z", "--skip-worktree", "--stdin" },
    beginning.unseen, { env = env })
  check_out(run, key, path, env)
end

--- Writes the index that git uses in a worktree, after the files of the worktree were written.
---@param run table
---@param key string
---@param dir string
---@param path string    path of the worktree
---@param own string     absolute path of git's index for the worktree
---@param raw moonlet.RawGit
---@param beginning moonlet.Beginning
function M.write_index(run, key, dir, path, own, raw, beginning)
  scratch_index.copy(M.index(raw), own)
  scratch_index.feed(run, key, dir, path, { "update-index", "-z", "--index-info" },
    scratch_index.info_of(beginning.others), { env = plumbing.env(raw, path, own) })
end

return M
