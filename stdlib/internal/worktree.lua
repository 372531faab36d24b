--- A git worktree of its own for a step that writes: what it changes comes back as one patch, or not at
--- all. The worktree lies outside of the repository, and git is told where everything is: the agent can
--- rewrite the `.git` file in it. What a patch cannot carry is never thrown away: the worktree is kept,
--- and told of.
local host_git = require "moonlet.internal.host_git"
local nested = require "moonlet.internal.nested"
local state_folder = require "moonlet.internal.state_folder"

local M = {}

local listed_cap = 2000
local list_cap = 64 << 20

local function verb_of(words)
  for _, word in ipairs(words) do
    if word:sub(1, 1) ~= "-" then return word end
  end
  return "?"
end

local function git(run, step, cwd, words, options)
  options = options or {}
  local exit = core.process.run {
    step = step .. "/worktree", argv = host_git.command(words), cwd = cwd,
    env = host_git.environment(run, options.env), wall = 10 * 60 * 1000, cap = options.cap or 8 << 20,
    stdin_file = options.stdin_file, stdout_file = options.stdout_file,
  }
  if exit.why == "exited" and (exit.code == 0 or options.may_fail) then
    if not exit.stdout_cut or options.may_cut then return exit end
    error({ kind = "failed", message = ("git %s lists more than can be looked at"):format(verb_of(words)) }, 0)
  end
  local said = exit.stderr ~= "" and exit.stderr or exit.error and exit.error.message or exit.why
  error({ kind = "failed", message = ("git %s failed: %s"):format(verb_of(words),
    core.text.printable(said, 600)) }, 0)
end

local function folder_of(run, key)
  local base = state_folder.path()
  if not base then
    error({ kind = "failed", message = "there is no place for a worktree: neither XDG_STATE_HOME nor HOME is set" }, 0)
  end
  local repository = core.text.sha256(run.home.agent_path):sub(1, 12)
  return ("%s/worktrees/%s"):format(base, repository), ("%s-%s"):format(run.id, core.run.step_name(key))
end

--- The git options that name a worktree without looking at what lies in it.
local function words(tree, ...)
  return { "--git-dir=" .. tree.git_dir, "--work-tree=" .. tree.path, ... }
end

local function find_git_dir(run, key, name)
  local exit = git(run, key, run.top, { "rev-parse", "--path-format=absolute", "--git-common-dir" })
  return exit.stdout:gsub("\n$", "") .. "/worktrees/" .. name
end

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

--- The user's index as a file of our own, with its time: git tells by it which entries to look at again.
local function copy_index(run, key, file)
  -- In a hook of `git commit -a` it is another file than the repository's.
  local own = core.system.env "GIT_INDEX_FILE"
  local exit = git(run, key, run.top, { "rev-parse", "--path-format=absolute", "--git-path", "index" },
    { env = own and { GIT_INDEX_FILE = own } or nil })
  local index = exit.stdout:gsub("\n$", "")
  if core.system.real_path(index) then
    local copied = core.process.run { step = key .. "/worktree", argv = { "cp", "-p", "--", index, file },
      cwd = run.top, env = host_git.environment(run), wall = 60000, cap = 1 << 16 }
    if copied.why == "exited" and copied.code == 0 then return end
    local said = core.text.printable(copied.stderr, 300)
    error({ kind = "failed", message = "the index could not be copied: " .. said }, 0)
  end
  git(run, key, run.top, { "read-tree", "HEAD" }, { env = { GIT_INDEX_FILE = file } })
end

--- Takes what `list` names from the work tree that `options` stand for into its index. No command of git
--- that would look into a nested repository is used: the config that lies there is the agent's.
local function update_index(run, key, dir, cwd, command, list, options)
  if #list == 0 then return end
  local root, err = core.file.make_root(run.absolute(dir))
  local written
  if root then written, err = core.file.write(root, "changes.list", table.concat(list, "\0") .. "\0") end
  if not written then error(err, 0) end
  options.stdin_file = dir .. "/changes.list"
  local ok, why = pcall(git, run, key, cwd, command, options)
  core.file.remove(root, "changes.list")
  if not ok then error(why, 0) end
end

--- The tracked files that differ from the index: those that are there, and those that are gone.
local function tracked_changes(run, key, cwd, command, env)
  local exit = git(run, key, cwd, command, { env = env, cap = list_cap })
  local changed, gone = {}, {}
  for state, path in exit.stdout:gmatch("(%u)%z([^%z]+)%z") do
    local list = state == "D" and gone or changed
    list[#list + 1] = path
  end
  return changed, gone
end

--- A commit of what the work tree holds now: the agent begins where the user is, and its patch fits.
--- Nothing points to the commit; untracked files are no part of it. The user's index is only read.
local function present_state(run, key, dir, parent, name)
  local head = git(run, key, run.top, { "rev-parse", "--quiet", "--verify", "HEAD^{commit}" }, { may_fail = true })
  if head.code ~= 0 then
    error({ kind = "failed", message = "a worktree needs a commit to begin with, and there is none",
      hint = "commit something first, declare writes = { … }, or say in_place = true" }, 0)
  end
  local file = parent .. "/" .. name .. ".index"
  local env = { GIT_INDEX_FILE = file }
  local function made()
    copy_index(run, key, file)
    refuse_unmerged(run, key, env)
    local changed, gone = tracked_changes(run, key, run.top,
      { "diff-files", "--name-status", "-z", "--no-renames", "--ignore-submodules=dirty" }, env)
    update_index(run, key, dir, run.top, { "update-index", "-z", "--force-remove", "--stdin" }, gone, { env = env })
    update_index(run, key, dir, run.top, { "update-index", "-z", "--add", "--replace", "--remove", "--stdin" }, changed,
      { env = env })
    local tree = git(run, key, run.top, { "write-tree" }, { env = env }).stdout:match("%x+")
    local base = head.stdout:match("%x+")
    local same = git(run, key, run.top, { "rev-parse", base .. "^{tree}" }).stdout:match("%x+")
    if tree == same then return base end
    return git(run, key, run.top, { "-c", "user.name=moonlet", "-c", "user.email=moonlet@localhost", "commit-tree",
      "-p", base, "-m", "The work tree as a step began", tree }).stdout:match("%x+")
  end
  local ok, result = pcall(made)
  local root = core.file.root(parent)
  for _, suffix in ipairs { ".index", ".index.lock" } do core.file.remove(root, name .. suffix) end
  if not ok then error(result, 0) end
  return result
end

---@class moonlet.Worktree
---@field path string      absolute
---@field git_dir string
---@field base string      the commit it began with

--- The name of the last worktree of a step: one that was kept is not used again by another attempt.
local function last_name(root, name)
  local count = 1
  while core.file.stat(root, ("%d-%s"):format(count + 1, name)) do count = count + 1 end
  return count == 1 and name or ("%d-%s"):format(count, name), ("%d-%s"):format(count + 1, name)
end

--- The worktree of a step, made anew; with `keep` the one that an earlier attempt still works in.
---@param run table
---@param key string
---@param dir string   the step's folder beneath `.agent`
---@param keep boolean
---@return moonlet.Worktree, boolean? anew
function M.open(run, key, dir, keep)
  local parent, first = folder_of(run, key)
  local root, err = core.file.make_root(parent)
  if not root then error(err, 0) end
  local name, another = last_name(root, first)
  local there = core.file.stat(root, name) ~= nil
  local kept = core.file.stat(root, name .. ".kept") ~= nil
  if kept and keep and not there then
    error({ kind = "failed", message = ("what the agent changed is gone: %s/%s was kept for it, and removed"):format(
      parent, name), hint = "start a new run" }, 0)
  end
  if there and not keep and kept then name, there = another, false end
  local tree = { path = parent .. "/" .. name, git_dir = find_git_dir(run, key, name) }
  local known = keep and there and core.file.read(root, name .. ".base", 100)
  if known then
    tree.base = known:match("%x+")
    return tree
  end
  M.remove(run, key, tree)
  tree.base = present_state(run, key, dir, parent, name)
  git(run, key, run.top, { "worktree", "add", "--quiet", "--detach", "--force", tree.path, tree.base })
  -- Its HEAD is no witness: an agent that is not confined may have moved it.
  local written
  written, err = core.file.write(root, name .. ".base", tree.base .. "\n")
  if not written then error(err, 0) end
  return tree, true
end

--- Removes it, if it is there.
---@param run table
---@param key string
---@param tree moonlet.Worktree
function M.remove(run, key, tree)
  git(run, key, run.top, { "worktree", "remove", "--force", "--force", tree.path }, { may_fail = true })
  local folder, name = tree.path:match("^(.*)/([^/]+)$")
  local root = core.file.root(folder)
  for _, suffix in ipairs { "", ".base", ".kept" } do
    if root then core.file.remove(root, name .. suffix) end
  end
  git(run, key, run.top, { "worktree", "prune" }, { may_fail = true })
end

--- From now on it is the user's.
local function keep(tree)
  local folder, name = tree.path:match("^(.*)/([^/]+)$")
  local root = core.file.root(folder)
  if root then core.file.write(root, name .. ".kept", "") end
end

local function removal(tree) return "git worktree remove --force --force " .. tree.path end

local function changed_paths(run, key, tree)
  local command = words(tree, "diff", "--cached", "--name-only", "-z", "--ignore-submodules=all")
  for _, option in ipairs(host_git.diff_options) do command[#command + 1] = option end
  command[#command + 1] = tree.base
  local exit = git(run, key, run.top, command, { may_cut = true })
  local paths = {}
  for path in exit.stdout:gmatch("([^%z]+)%z") do
    if #paths < listed_cap then paths[#paths + 1] = path end
  end
  return paths
end

--- Everything that the agent left, in the index of the worktree; ignored files too. Returns the folders
--- whose own history stays behind.
local function gather(run, key, dir, tree)
  local root, err = core.file.root(tree.path)
  if not root then error(err, 0) end
  local entries = git(run, key, tree.path, words(tree, "ls-files", "--stage", "-z"), { cap = list_cap }).stdout
  nested.refuse_submodules(root, tree.path, entries)
  local changed, gone = tracked_changes(run, key, tree.path,
    words(tree, "diff-files", "--name-status", "-z", "--no-renames", "--ignore-submodules=all"))
  local others = git(run, key, tree.path, words(tree, "ls-files", "--others", "-z"), { cap = list_cap }).stdout
  for path in others:gmatch("([^%z]+)%z") do
    local ours = path:sub(1, 7) == ".agent/" -- it was never meant for the repository
    if path:sub(-1) == "/" and not ours then
      nested.files(root, path:sub(1, -2), changed)
    elseif not ours then
      changed[#changed + 1] = path
    end
  end
  update_index(run, key, dir, tree.path, words(tree, "update-index", "-z", "--force-remove", "--stdin"), gone, {})
  update_index(run, key, dir, tree.path,
    words(tree, "update-index", "-z", "--add", "--replace", "--remove", "--stdin"), changed, {})
  return nested.histories(root)
end

local function apply(run, key, patch, tree)
  local file = run.absolute(patch)
  local command = { "apply", "--whitespace=nowarn", "--no-ignore-whitespace", file }
  local applied = git(run, key, run.top, command, { may_fail = true })
  if applied.code == 0 then return end
  -- A host that died between this and its record had applied it already.
  table.insert(command, 2, "--reverse")
  table.insert(command, 2, "--check")
  if git(run, key, run.top, command, { may_fail = true }).code == 0 then return end
  error({ kind = "failed", class = "conflict",
    message = "what the agent changed does not apply any more: " .. core.text.printable(applied.stderr, 600),
    hint = ("its changes are in %s, and in the worktree %s"):format(file, tree.path) }, 0)
end

local function carry(run, key, dir, tree)
  local histories = gather(run, key, dir, tree)
  local paths = changed_paths(run, key, tree)
  local patch = dir .. "/changes.patch"
  local command = words(tree, "diff", "--cached", "--binary", "--full-index", "--ignore-submodules=all")
  for _, option in ipairs(host_git.diff_options) do command[#command + 1] = option end
  command[#command + 1] = tree.base
  git(run, key, run.top, command, { stdout_file = patch })
  if #paths > 0 then apply(run, key, patch, tree) end
  return paths, histories
end

--- Brings what was changed in the worktree into the work tree of the repository, as one patch which is
--- kept as `changes.patch`. Raises, and changes nothing, when it does not apply; the worktree is kept then.
---@param run table
---@param key string
---@param dir string   the step's folder beneath `.agent`
---@param tree moonlet.Worktree
---@return string[] paths, string? warning
function M.merge(run, key, dir, tree)
  local ok, paths, histories = pcall(carry, run, key, dir, tree)
  if not ok then
    keep(tree)
    local err = paths
    if type(err) == "table" then
      local told = err.hint and err.hint:find(tree.path, 1, true)
      err.hint = ("%s%smoonlet run resume %s takes it up again, %s drops it"):format(
        err.hint and err.hint .. "; " or "", told and "" or "what the agent made is in " .. tree.path .. "; ", run.id,
        removal(tree))
    end
    error(err, 0)
  end
  if #histories == 0 then
    M.remove(run, key, tree)
    return paths
  end
  keep(tree)
  local warning = ("the agent made a repository of its own: the files in %s were carried over, its history was not, "
    .. "and is kept in %s; when you have what you want of it: %s"):format(
    core.text.printable(table.concat(histories, ", "), 300), tree.path, removal(tree))
  run.emit("warning", { step = key, text = warning })
  return paths, warning
end

return M
