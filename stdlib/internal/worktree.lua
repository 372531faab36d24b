--- A git worktree of its own for a step that writes: what it changes comes back as one patch, or not at
--- all. The worktree lies outside of the repository, and git is told where everything is: the agent can
--- rewrite the `.git` file in it.
local state_folder = require "moonlet.internal.state_folder"

local M = {}

local listed_cap = 2000

local function verb_of(words)
  local i = 1
  while words[i] and words[i]:sub(1, 1) == "-" do i = i + (words[i] == "-c" and 2 or 1) end
  return words[i] or "?"
end

local function git(run, step, cwd, words, options)
  local argv = { "git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0" }
  for _, word in ipairs(words) do argv[#argv + 1] = word end
  options = options or {}
  local exit = core.process.run {
    step = step .. "/worktree", argv = argv, cwd = cwd, env = run.child_environment(), wall = 10 * 60 * 1000,
    cap = 8 << 20, stdout_file = options.stdout_file,
  }
  if exit.why == "exited" and (exit.code == 0 or options.may_fail) then return exit end
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
local function located(tree)
  return { "--git-dir=" .. tree.git_dir, "--work-tree=" .. tree.path }
end

local function words(tree, ...)
  local list = located(tree)
  for _, word in ipairs { ... } do list[#list + 1] = word end
  return list
end

local function find_git_dir(run, key, path)
  local exit = git(run, key, run.top, { "rev-parse", "--path-format=absolute", "--git-common-dir" })
  return exit.stdout:gsub("\n$", "") .. "/worktrees/" .. path:match("[^/]+$")
end

--- A commit of what the work tree holds now: the agent begins where the user is, and its patch fits.
--- Nothing points to the commit; untracked files are no part of it.
local function present_state(run, key)
  local head = git(run, key, run.top, { "rev-parse", "--quiet", "--verify", "HEAD" }, { may_fail = true })
  if head.code ~= 0 then
    error({ kind = "failed", message = "a worktree needs a commit to begin with, and there is none",
      hint = "commit something first, declare writes = { … }, or say in_place = true" }, 0)
  end
  local exit = git(run, key, run.top, { "-c", "user.name=moonlet", "-c", "user.email=moonlet@localhost", "stash",
    "create" })
  return exit.stdout:match("%x+") or "HEAD"
end

---@class moonlet.Worktree
---@field path string      absolute
---@field git_dir string
---@field base string      the commit it began with

--- The worktree of a step, made anew; with `keep` the one that an earlier attempt still works in.
---@param run table
---@param key string
---@param keep boolean
---@return moonlet.Worktree
function M.open(run, key, keep)
  local parent, name = folder_of(run, key)
  local path = parent .. "/" .. name
  local root, err = core.file.make_root(parent)
  if not root then error(err, 0) end
  local tree = { path = path, git_dir = find_git_dir(run, key, path) }
  if not (keep and core.file.stat(root, name)) then
    M.remove(run, key, tree)
    git(run, key, run.top, { "worktree", "add", "--quiet", "--detach", "--force", path, present_state(run, key) })
  end
  local exit = git(run, key, run.top, words(tree, "rev-parse", "HEAD"))
  tree.base = exit.stdout:match("%x+")
  return tree
end

--- Removes it, if it is there.
---@param run table
---@param key string
---@param tree moonlet.Worktree
function M.remove(run, key, tree)
  git(run, key, run.top, { "worktree", "remove", "--force", "--force", tree.path }, { may_fail = true })
  local folder, name = tree.path:match("^(.*)/([^/]+)$")
  local root = core.file.root(folder)
  if root then core.file.remove(root, name) end
  git(run, key, run.top, { "worktree", "prune" }, { may_fail = true })
end

local function changed_paths(run, key, tree)
  local exit = git(run, key, run.top, words(tree, "diff", "--cached", "--name-only", "-z", "--no-renames",
    "--ignore-submodules=all", tree.base))
  local paths = {}
  for path in exit.stdout:gmatch("([^%z]+)%z") do
    if #paths < listed_cap then paths[#paths + 1] = path end
  end
  return paths, exit.stdout_cut
end

--- Brings what was changed in the worktree into the work tree of the repository, as one patch which is
--- kept as `changes.patch`. Raises, and changes nothing, when it does not apply.
---@param run table
---@param key string
---@param dir string   the step's folder beneath `.agent`
---@param tree moonlet.Worktree
---@return string[] paths
function M.merge(run, key, dir, tree)
  git(run, key, tree.path, words(tree, "add", "--all", "--force", "--", ".", ":(exclude).agent"))
  local paths = changed_paths(run, key, tree)
  local patch = dir .. "/changes.patch"
  git(run, key, run.top, words(tree, "diff", "--cached", "--binary", "--full-index", "--no-renames", "--no-color",
    "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", tree.base), { stdout_file = patch })
  if #paths > 0 then
    local file = run.absolute(patch)
    local applied = git(run, key, run.top, { "apply", "--whitespace=nowarn", file }, { may_fail = true })
    if applied.code ~= 0 then
      -- A host that died between this and its record had applied it already.
      local again = git(run, key, run.top, { "apply", "--whitespace=nowarn", "--reverse", "--check", file },
        { may_fail = true })
      if again.code ~= 0 then
        error({ kind = "failed", class = "conflict",
          message = "what the agent changed does not apply any more: " .. core.text.printable(applied.stderr, 600),
          hint = ("its changes are in %s, and in the worktree %s"):format(file, tree.path) }, 0)
      end
    end
  end
  M.remove(run, key, tree)
  return paths
end

return M
