--- Prepares the content of a new worktree: the user's files byte for byte, without ignored ones, on
--- a commit that git considers equal. The user's index is only read.
local files = require "moonlet.engine.base.files"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local plumbing = require "moonlet.engine.workspace.plumbing"
local untracked = require "moonlet.engine.workspace.untracked"
local write_lock = require "moonlet.engine.workspace.write_lock"

local M = {}

local git = scratch_index.git

local function refuse_unmerged(run, key, env)
  local exit = git(run, key, run.top,
    { "diff-files", "--name-only", "-z", "--diff-filter=U", "--ignore-submodules=all" }, { env = env, may_cut = true })
  local path = exit.stdout:match("^([^%z]+)")
  if not path then return end
  error({ kind = "failed", message = ("a worktree cannot begin in the middle of a merge: %s is unmerged"):format(
    core.text.printable(path, 200)),
    hint = "resolve it and git add it, or give the merge up (git merge --abort, git rebase --abort); or declare "
      .. "writes = { … }" }, 0)
end

local function head_of(run, key)
  local head = git(run, key, run.top, { "rev-parse", "--quiet", "--verify", "HEAD^{commit}" }, { may_fail = true })
  if head.code == 0 then return head.stdout:match("%x+") end
  error({ kind = "failed", message = "a worktree needs a commit to begin with, and there is none",
    hint = "commit something first, declare writes = { … }, or say in_place = true" }, 0)
end

--- Returns a commit with that tree. No branch or tag points to it.
local function commit_of(run, key, head, tree)
  local same = git(run, key, run.top, { "rev-parse", head .. "^{tree}" }).stdout:match("%x+")
  if tree == same then return head end
  return git(run, key, run.top, { "-c", "user.name=moonlet", "-c", "user.email=moonlet@localhost", "commit-tree",
    "-p", head, "-m", "The work tree as a step began", tree }).stdout:match("%x+")
end

local function write_tree(run, key, env)
  return git(run, key, run.top, { "write-tree" }, { env = env }).stdout:match("%x+")
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
---@field others moonlet.IndexEntry[]        entries of files whose bytes differ from git's
---@field unseen string[]                    tracked files that are not checked out

local function look(run, key, dir, raw)
  local head = head_of(run, key)
  return scratch_index.with(raw.path, "begin", function(own)
    local index = own.GIT_INDEX_FILE
    local shared = plumbing.env(raw, run.top, index, true)
    scratch_index.copy_users(run, key, index)
    refuse_unmerged(run, key, shared)
    local root = files.must(core.file.root(run.top))
    local entries, others, unseen, again = scratch_index.entries(run, key, shared), {}, {}, {}
    scratch_index.see(run, key, dir, run.top, root, entries, shared)
    local changed, gone = scratch_index.tracked_changes(run, key, run.top,
      { "diff-files", "--name-status", "-z", "--no-renames", "--ignore-submodules=dirty" }, shared)
    local missing = {}
    for _, path in ipairs(gone) do missing[path] = true end
    local converted = plumbing.converted(run, key, dir, entries, changed, shared)
    for _, entry in ipairs(entries) do
      if entry.tag == "S" then unseen[#unseen + 1] = entry.path end
      if converted[entry.path] and not missing[entry.path] then
        others[#others + 1] = entry
        again[#again + 1] = entry.path
      end
    end
    scratch_index.take(run, key, dir, run.top, without(changed, converted), gone, shared)
    scratch_index.take(run, key, dir, run.top, untracked.files(run, key, root, index), {}, shared)
    local tree = write_tree(run, key, shared)
    local commit = commit_of(run, key, head, tree)
    if #others > 0 then
      local env = plumbing.env(raw, run.top, index)
      -- Git compares an entry without times and flags with the file.
      scratch_index.feed(run, key, dir, run.top, { "update-index", "-z", "--index-info" },
        scratch_index.info_of(others), { env = env })
      scratch_index.take(run, key, dir, run.top, again, {}, env)
      tree = write_tree(run, key, env)
    end
    return { commit = commit, tree = tree, others = others, unseen = unseen }
  end)
end

--- Captures the user's present files.
---@param dir string    folder of the step, below `.agent`
---@return moonlet.Beginning
function M.state(run, key, dir, raw)
  -- A half-finished merge is not a state of the user's files, so running merges are waited for.
  local release = write_lock.hold_merges(run, key)
  local ok, begun = pcall(look, run, key, dir, raw)
  release()
  if not ok then error(begun, 0) end
  return begun
end

--- Returns the path of the seed's index. Agents cannot change that index or its modification time.
function M.index(raw) return raw.path .. "/begun.index" end

--- Fills an empty worktree with the seed's files.
---@param path string    path of the worktree
---@param raw moonlet.RawGit
---@param beginning moonlet.Beginning
function M.fill(run, key, dir, path, raw, beginning)
  local env = plumbing.env(raw, path, M.index(raw))
  git(run, key, path, { "read-tree", beginning.tree }, { env = env })
  scratch_index.feed(run, key, dir, path, { "update-index", "-z", "--skip-worktree", "--stdin" }, beginning.unseen,
    { env = env })
  git(run, key, path, { "checkout-index", "--all", "--force", "--index", "--quiet" }, { env = env })
end

--- Writes git's index of a filled worktree.
---@param run table
---@param key string
---@param dir string
---@param path string    path of the worktree
---@param own string     absolute path of git's index for the worktree
---@param raw moonlet.RawGit
---@param beginning moonlet.Beginning
function M.write_index(run, key, dir, path, own, raw, beginning)
  scratch_index.copy(run, key, M.index(raw), own)
  scratch_index.feed(run, key, dir, path, { "update-index", "-z", "--index-info" },
    scratch_index.info_of(beginning.others), { env = plumbing.env(raw, path, own) })
end

return M
