--- A git worktree of its own for a step that writes: what it changes comes back as one patch, or not at
--- all. The worktree lies outside of the repository, and git is told where everything is: the agent can
--- rewrite the `.git` file in it. What a patch cannot carry is never thrown away: the worktree is kept,
--- and told of.
local host_git = require "moonlet.internal.host_git"
local landing = require "moonlet.internal.landing"
local nested = require "moonlet.internal.nested"
local overlay = require "moonlet.internal.overlay"
local own_index = require "moonlet.internal.own_index"
local state_folder = require "moonlet.internal.state_folder"
local writer = require "moonlet.internal.writer"

local M = {}

local git = own_index.git
local listed_cap = 2000
local apply_tries = 3
local list_cap = 64 << 20

--- Where the worktrees of a repository are; nil where there is no place for them.
local function parent_of(home)
  local base = state_folder.path()
  return base and ("%s/worktrees/%s"):format(base, core.text.sha256(home.agent_path):sub(1, 12))
end

local function folder_of(run, key)
  local parent = parent_of(run.home)
  if not parent then
    error({ kind = "failed", message = "there is no place for a worktree: neither XDG_STATE_HOME nor HOME is set" }, 0)
  end
  return parent, ("%s-%s"):format(run.id, core.run.step_name(key))
end

--- The git options that name a worktree without looking at what lies in it.
local function words(tree, ...)
  return { "--git-dir=" .. tree.git_dir, "--work-tree=" .. tree.path, ... }
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

--- A commit of what the work tree holds now: the agent begins where the user is, and its patch fits.
--- Nothing points to the commit; untracked files are no part of it. The user's index is only read.
local function present_state(run, key, dir, parent, name)
  local head = git(run, key, run.top, { "rev-parse", "--quiet", "--verify", "HEAD^{commit}" }, { may_fail = true })
  if head.code ~= 0 then
    error({ kind = "failed", message = "a worktree needs a commit to begin with, and there is none",
      hint = "commit something first, declare writes = { … }, or say in_place = true" }, 0)
  end
  return own_index.with(parent, name, function(env)
    own_index.fill(run, key, dir, env, function() refuse_unmerged(run, key, env) end)
    local tree = git(run, key, run.top, { "write-tree" }, { env = env }).stdout:match("%x+")
    local base = head.stdout:match("%x+")
    local same = git(run, key, run.top, { "rev-parse", base .. "^{tree}" }).stdout:match("%x+")
    if tree == same then return base end
    return git(run, key, run.top, { "-c", "user.name=moonlet", "-c", "user.email=moonlet@localhost", "commit-tree",
      "-p", base, "-m", "The work tree as a step began", tree }).stdout:match("%x+")
  end)
end

---@class moonlet.Worktree
---@field path string      absolute
---@field git_dir string
---@field base string      the commit it began with
---@field carried { paths: string[], warning: string? }?  it was merged by a host that could not tell any more

local function split(path) return path:match("^(.*)/([^/]+)$") end

--- The name of the last worktree of a step: one that was kept is not used again by another attempt.
local function last_name(root, name)
  local count = 1
  while core.file.stat(root, ("%d-%s"):format(count + 1, name)) do count = count + 1 end
  return count == 1 and name or ("%d-%s"):format(count, name), ("%d-%s"):format(count + 1, name)
end

--- The folder that git has of a worktree, beneath `common`/worktrees. It has its name, but where another
--- one had that already.
local function find_admin(common, tree)
  local folder, name = split(tree.path)
  -- The user's own are never taken for it: this end of the path is nobody else's.
  local wanted = ("/%s/%s/.git"):format(folder:match("[^/]+$"), name)
  local root = core.file.root(common .. "/worktrees")
  for _, entry in ipairs(root and core.file.list(root, ".") or {}) do
    local text = entry.type == "directory" and core.file.read(root, entry.name .. "/gitdir", 1 << 16)
    if text and text:gsub("\n$", ""):sub(-#wanted) == wanted then return entry.name, root end
  end
  return nil, root
end

local function common_dir(run, key)
  local exit = git(run, key, run.top, { "rev-parse", "--path-format=absolute", "--git-common-dir" })
  return (exit.stdout:gsub("\n$", ""))
end

--- What was put on record when it was made: the commit that it began with.
local function read_base(root, name)
  local text = core.file.read(root, name .. ".base", 100)
  return text and text:match("%x+")
end

local function carried_before(run, dir)
  local root = core.file.root(run.absolute(dir))
  local text = root and core.file.read(root, "changes.carried", list_cap)
  if not text then return nil end
  local carried = { paths = {} }
  for part in text:gmatch("([^%z]*)%z") do
    if carried.warning == nil then carried.warning = part else carried.paths[#carried.paths + 1] = part end
  end
  if carried.warning == "" then carried.warning = nil end
  return carried
end

--- Puts on record that it is done: what follows need not come to pass.
local function note_carried(run, dir, paths, warning)
  local root, err = core.file.root(run.absolute(dir))
  local written
  local parts = table.move(paths, 1, #paths, 2, { warning or "" })
  if root then written, err = core.file.write(root, "changes.carried", table.concat(parts, "\0") .. "\0") end
  if not written then error(err, 0) end
end

--- What an attempt before this one has left of a merge is brought back.
local function forget_merge(run, key, dir)
  local root = core.file.root(run.absolute(dir))
  if not root then return end
  core.file.remove(root, "changes.carried")
  if not core.file.stat(root, "landing") then return end
  local release = writer.hold(run, key)
  local ok, err = pcall(landing.undo, run, dir)
  release()
  if not ok then error(err, 0) end
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
  local tree = { path = parent .. "/" .. name, common = common_dir(run, key) }
  tree.carried = keep and carried_before(run, dir) or nil
  if tree.carried then return tree end
  local there = core.file.stat(root, name) ~= nil
  local kept = core.file.stat(root, name .. ".kept") ~= nil
  if kept and keep and not there then
    error({ kind = "failed", message = ("what the agent changed is gone: %s/%s was kept for it, and removed"):format(
      parent, name), hint = "start a new run" }, 0)
  end
  if there and not keep and kept then name, there = another, false end
  tree.path = parent .. "/" .. name
  tree.base = keep and there and read_base(root, name)
  if tree.base then
    tree.git_dir = tree.common .. "/worktrees/" .. (find_admin(tree.common, tree) or name)
    return tree
  end
  forget_merge(run, key, dir)
  M.remove(run, key, tree)
  tree.base = present_state(run, key, dir, parent, name)
  writer.with_worktrees(run, key, git, run, key, run.top,
    { "worktree", "add", "--quiet", "--detach", "--force", tree.path, tree.base })
  tree.git_dir = tree.common .. "/worktrees/" .. (find_admin(tree.common, tree) or name)
  -- Neither its HEAD nor its index is a witness: an agent that is not confined may have changed them.
  own_index.copy(run, key, tree.git_dir .. "/index", tree.path .. ".begun")
  local written
  written, err = core.file.write(root, name .. ".base", tree.base .. "\n")
  if not written then error(err, 0) end
  return tree, true
end

--- Removes it, if it is there; of what git has of worktrees its own alone.
---@param run table
---@param key string
---@param tree moonlet.Worktree
function M.remove(run, key, tree)
  local folder, name = split(tree.path)
  local root = core.file.root(folder)
  if root and core.file.stat(root, name) then
    writer.with_worktrees(run, key, git, run, key, run.top,
      { "worktree", "remove", "--force", "--force", tree.path }, { may_fail = true })
  end
  for _, suffix in ipairs { "", ".base", ".kept", ".begun" } do
    if root then core.file.remove(root, name .. suffix) end
  end
  local own, admin = find_admin(tree.common, tree)
  if own then writer.with_worktrees(run, key, core.file.remove, admin, own) end
end

--- From now on it is the user's.
local function keep(tree)
  local folder, name = split(tree.path)
  local root = core.file.root(folder)
  if root then core.file.write(root, name .. ".kept", "") end
end

local function removal(tree) return "git worktree remove --force --force " .. tree.path end

local function diff(tree, ...)
  local command = words(tree, "diff", "--cached", ...)
  for _, option in ipairs(host_git.diff_options) do command[#command + 1] = option end
  command[#command + 1] = tree.base
  return command
end

--- What the agent changed, as moonlet.Change[].
local function changes_of(run, key, tree, env)
  local exit = git(run, key, run.top, diff(tree, "--name-status", "-z", "--ignore-submodules=all"),
    { cap = list_cap, env = env })
  local list = {}
  for state, path in exit.stdout:gmatch("(%u)%z([^%z]+)%z") do list[#list + 1] = { state = state, path = path } end
  return list
end

--- The paths that an index holds.
local function paths_in(run, key, tree, env)
  local set = {}
  local listed = git(run, key, tree.path, words(tree, "ls-files", "-z"), { cap = list_cap, env = env }).stdout
  for path in listed:gmatch("([^%z]+)%z") do set[path] = true end
  return set
end

--- Everything that the agent left, in an index of our own; ignored files too. Returns the folders whose own
--- history stays behind, and the files that do.
local function gather(run, key, dir, tree, env)
  local root, err = core.file.root(tree.path)
  if not root then error(err, 0) end
  local begun = own_index.copy(run, key, tree.path .. ".begun", env.GIT_INDEX_FILE)
  if not begun then own_index.copy(run, key, tree.git_dir .. "/index", env.GIT_INDEX_FILE) end
  local entries = git(run, key, tree.path, words(tree, "ls-files", "--stage", "-z"), { cap = list_cap, env = env })
  nested.refuse_submodules(root, tree.path, entries.stdout)
  local changed, gone = own_index.tracked_changes(run, key, tree.path,
    words(tree, "diff-files", "--name-status", "-z", "--no-renames", "--ignore-submodules=all"), env)
  local others = git(run, key, tree.path, words(tree, "ls-files", "--others", "-z"), { cap = list_cap, env = env })
  for path in others.stdout:gmatch("([^%z]+)%z") do
    -- It was never meant for the repository.
    local ours = path == ".agent" or path:sub(1, 7) == ".agent/"
    if path:sub(-1) == "/" and not ours then
      nested.files(root, path:sub(1, -2), changed)
    elseif not ours then
      changed[#changed + 1] = path
    end
  end
  own_index.take(run, key, dir, tree.path, changed, gone, env, function(...) return words(tree, ...) end)
  return nested.left_behind(root, paths_in(run, key, tree, env))
end

--- What a file comes to that somebody changed while its merge was interrupted.
local function again(run, key, dir, tree, env, changes, entry)
  for _, change in ipairs(changes) do
    if change.path == entry.path then
      local command = diff(tree, "--binary", "--full-index", "--ignore-submodules=all")
      table.move({ "--", entry.path }, 1, 2, #command + 1, command)
      local patch = overlay.folder(dir) .. "/part.patch"
      git(run, key, run.top, command, { stdout_file = patch,
        env = { GIT_INDEX_FILE = env.GIT_INDEX_FILE, GIT_LITERAL_PATHSPECS = "1" } })
      return overlay.of(run, key, dir, split(tree.path), { change }, patch, entry.name .. "x")
    end
  end
end

--- Works out what the work tree comes to, and brings it there. Somebody may save a file between the two.
local function apply(run, key, dir, tree, changes, patch)
  local function once()
    local entries = overlay.of(run, key, dir, split(tree.path), changes, patch, "")
    if entries then landing.land(run, dir, entries) end
  end
  local ok, err
  for _ = 1, apply_tries do
    ok, err = pcall(once)
    if ok then return end
    -- What could not be brought back stays, for a later host.
    if landing.pending(run, dir) then break end
    landing.forget(run, dir)
    if not (type(err) == "table" and err.meanwhile) then break end
  end
  error(err, 0)
end

local function warning_of(tree, histories, files)
  local parts = {}
  local function shown(list)
    local more = #list > 8 and (" and %d more"):format(#list - 8) or ""
    return core.text.printable(table.concat(list, ", ", 1, math.min(#list, 8)), 300) .. more
  end
  if #histories > 0 then
    parts[1] = ("the agent made a repository of its own: the files in %s were carried over, its history was not")
      :format(shown(histories))
  end
  if #files > 0 then parts[#parts + 1] = "git does not take what the agent made as " .. shown(files) end
  if #parts == 0 then return nil end
  return ("%s, and is kept in %s; when you have what you want of it: %s"):format(table.concat(parts, "; "), tree.path,
    removal(tree))
end

local function bring(run, key, dir, tree, changes, patch, env)
  local release = writer.hold(run, key)
  local ok, err = pcall(function()
    local begun = landing.pending(run, dir)
    if begun then
      landing.go_on(run, dir, begun, function(entry) return again(run, key, dir, tree, env, changes, entry) end)
    elseif #changes > 0 then
      apply(run, key, dir, tree, changes, patch)
    end
  end)
  release()
  if ok then return end
  if type(err) == "table" and err.class == "conflict" then
    local place = ("its changes are in %s, and in the worktree %s"):format(run.absolute(patch), tree.path)
    err.hint = err.hint and err.hint .. "; " .. place or place
  end
  error(err, 0)
end

local function carry(run, key, dir, tree)
  local folder, name = split(tree.path)
  return own_index.with(folder, name .. ".gathered", function(env)
    local histories, files = gather(run, key, dir, tree, env)
    local changes = changes_of(run, key, tree, env)
    local patch = dir .. "/changes.patch"
    git(run, key, run.top, diff(tree, "--binary", "--full-index", "--ignore-submodules=all"),
      { stdout_file = patch, env = env })
    bring(run, key, dir, tree, changes, patch, env)
    local paths = {}
    for i = 1, math.min(#changes, listed_cap) do paths[i] = changes[i].path end
    local warning = warning_of(tree, histories, files)
    if warning then keep(tree) end
    note_carried(run, dir, paths, warning)
    return { paths = paths, warning = warning }
  end)
end

--- Brings what was changed in the worktree into the work tree of the repository; the patch is kept as
--- `changes.patch`. Raises, and changes nothing, when it does not apply; the worktree is kept then. A host that
--- is killed meanwhile has put on record how to go on.
---@param run table
---@param key string
---@param dir string   the step's folder beneath `.agent`
---@param tree moonlet.Worktree
---@return string[] paths, string? warning
function M.merge(run, key, dir, tree)
  local ok, carried = true, tree.carried
  if not carried then ok, carried = pcall(carry, run, key, dir, tree) end
  if not ok then
    keep(tree)
    local err = carried
    if type(err) == "table" then
      local told = err.hint and err.hint:find(tree.path, 1, true)
      err.hint = ("%s%smoonlet run resume %s takes it up again, %s drops it"):format(
        err.hint and err.hint .. "; " or "", told and "" or "what the agent made is in " .. tree.path .. "; ", run.id,
        removal(tree))
    end
    error(err, 0)
  end
  landing.forget(run, dir)
  if carried.warning then
    run.emit("warning", { step = key, text = carried.warning })
  else
    M.remove(run, key, tree)
  end
  return carried.paths, carried.warning
end

--- The worktrees that a run has left.
---@param home table
---@param id string
---@return string[] paths  absolute
function M.left(home, id)
  local parent, paths = parent_of(home), core.json.array {}
  local root = parent and core.file.root(parent)
  for _, entry in ipairs(root and core.file.list(root, ".") or {}) do
    local name = entry.name:gsub("^%d+%-", "")
    if entry.type == "directory" and name:sub(1, #id + 1) == id .. "-" then
      paths[#paths + 1] = parent .. "/" .. entry.name
    end
  end
  table.sort(paths)
  return paths
end

return M
