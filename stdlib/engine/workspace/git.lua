--- Builds command lines and environments for git commands that the host runs for itself.
--- The user's config and environment cannot change git's output or how patches are applied.
--- Git never starts a program that a repository names.
local per_run = require "moonlet.engine.base.per_run"

local M = {}

--- Caches what git calls of a run need: PATH, the variables that disable configured filters, and
--- settings of git's config by their names.
local state_of = per_run(function() return { path = nil, filters = nil, settings = nil } end)

--- Pins git settings that could change a diff, a patch or an index, or start a program.
local pinned = {
  "core.fsmonitor=false", "core.hooksPath=/dev/null", "core.untrackedCache=false",
  "core.splitIndex=false", "core.quotePath=true", "core.safecrlf=false",
  "core.bigFileThreshold=512m", "core.alternateRefsCommand=", "core.ignoreStat=false",
  "core.trustctime=true", "core.checkStat=default", "gc.auto=0", "maintenance.auto=false",
  "color.ui=false", "add.ignoreErrors=false", "commit.gpgSign=false", "submodule.recurse=false",
  "diff.noprefix=false", "diff.mnemonicPrefix=false", "diff.orderFile=/dev/null", "diff.external=",
  "diff.relative=false", "diff.renames=false", "diff.suppressBlankEmpty=false", "diff.context=3",
  "diff.interHunkContext=0", "diff.algorithm=myers", "diff.submodule=short",
  "diff.ignoreSubmodules=none", "diff.indentHeuristic=false", "apply.whitespace=nowarn",
  "apply.ignoreWhitespace=no", "status.relativePaths=false", "status.showStash=false",
  "status.branch=false",
}

--- These options make patches independent of the user's settings.
M.diff_options = {
  "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--no-renames",
  "--no-indent-heuristic",
  "--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=myers", "--unified=3",
  "--inter-hunk-context=0",
  "--submodule=short", "-O/dev/null",
}

--- Returns the command line of a git command with all pinned settings.
function M.command(words)
  local argv = { "git", "--no-pager" }
  for _, item in ipairs(pinned) do
    argv[#argv + 1] = "-c"
    argv[#argv + 1] = item
  end
  for _, word in ipairs(words) do argv[#argv + 1] = word end
  return argv
end

local plain_path = "/usr/local/bin:/usr/bin:/bin"
local programs = { "git", "find", "chmod" }

local function is_within(path, folders)
  for _, folder in ipairs(folders) do
    if path == folder or path:sub(1, #folder + 1) == folder .. "/" then return true end
  end
  return false
end

--- Returns PATH without folders in the repository and its worktrees, where agents can write.
local function search_path(run)
  local state = state_of(run)
  if state.path then return state.path end
  local own = { run.top, (run.home.agent_path:gsub("/%.agent$", "")) }
  local base = core.system.state_dir()
  own[#own + 1] = base and base .. "/worktrees"
  for i, folder in ipairs(own) do own[i] = core.system.real_path(folder) or folder end
  local list = {}
  for folder in (core.system.env "PATH" or plain_path):gmatch("[^:]+") do
    local real = folder:sub(1, 1) == "/" and core.system.real_path(folder)
    local safe = real and not is_within(real, own)
    for _, name in ipairs(programs) do
      local program = safe and core.system.real_path(real .. "/" .. name)
      if program and is_within(program, own) then safe = false end
    end
    if safe then list[#list + 1] = folder end
  end
  state.path = #list > 0 and table.concat(list, ":") or plain_path
  return state.path
end

local function plain_environment(run, extra)
  local list = {}
  for _, item in ipairs(run.child_environment { LC_ALL = "C", LANGUAGE = false,
      PATH = search_path(run) }) do
    if item:sub(1, 4) ~= "GIT_" and not (extra and extra[item:match "^[^=]*"]) then
      list[#list + 1] = item
    end
  end
  for name, value in pairs(extra or {}) do list[#list + 1] = name .. "=" .. value end
  return list
end

local asked = "^(filter\\..*\\.(clean|smudge|process|required)"
  .. "|core\\.(filemode|symlinks|precomposeunicode|sharedrepository|autocrlf|eol"
  .. "|attributesfile|sparsecheckout)"
  .. "|extensions\\..*)$"

--- Reads git's config, and keeps it until forget_config() is called. Disables each configured
--- filter, because a filter is a program that an agent may have written.
local function read_config(run)
  local state = state_of(run)
  if state.filters then return state end
  local exit = core.process.run { step = "git", cwd = run.top, wall_ms = 60000, cap = 1 << 20,
    env = plain_environment(run), argv = M.command { "config", "--null", "--get-regexp", asked } }
  if exit.why ~= "exited" or exit.stdout_cut then
    error({ kind = "failed", message = "the filters of git's config cannot be read: "
      .. core.text.printable(exit.stderr, 300) }, 0)
  end
  local list, count, settings = {}, 0, {}
  for name, value in exit.stdout:gmatch("([^%z\n]+)\n?([^%z]*)%z") do
    if name:find "^filter" then
      list[#list + 1] = ("GIT_CONFIG_KEY_%d=%s"):format(count, name)
      list[#list + 1] = ("GIT_CONFIG_VALUE_%d=%s"):format(count,
        name:match("%.required$") and "false" or "")
      count = count + 1
    else
      settings[name] = value
    end
  end
  if count > 0 then list[#list + 1] = ("GIT_CONFIG_COUNT=%d"):format(count) end
  state.filters, state.settings = list, settings
  return state
end

--- Makes the next git command read git's config again, because the user may have changed it.
function M.forget_config(run) state_of(run).filters = nil end

--- Returns settings of git's config that affect how files are stored: `extensions.*` and some of
--- `core.*`. A setting without a value is "".
---@return table<string, string>
function M.settings(run) return read_config(run).settings end

local kept = { "filemode", "symlinks", "precomposeunicode", "sharedrepository" }

--- Returns the repository's settings of the section `core`, such as `filemode`, as lines of a
--- config file. Every git folder that moonlet makes for the repository needs these settings.
---@return string
function M.kept_settings(run)
  local settings, lines = M.settings(run), {}
  for _, name in ipairs(kept) do
    local value = settings["core." .. name]
    if value and value:find "^%w+$" then lines[#lines + 1] = ("\t%s = %s\n"):format(name, value) end
  end
  return table.concat(lines)
end

--- Returns sandbox rules for git commands that read an agent's work, because the work may make git
--- start a program. Git may write only to the given folders and to git-lfs's store. Returns nil if
--- agents run without a sandbox, too.
---@param common string     absolute path of the common git folder
---@return table? rules  `confine` of core.process.run
function M.rules(run, common, writable)
  if run.options.unconfined or not core.process.confinement() then return nil end
  local list = { table.unpack(writable) }
  if core.system.real_path(common .. "/lfs") then list[#list + 1] = common .. "/lfs" end
  return { writable = list, network = true }
end

--- Returns the environment for git, without the user's variables GIT_*.
---@param extra table<string, string>?
function M.environment(run, extra)
  local list, filters = plain_environment(run, extra), read_config(run).filters
  table.move(filters, 1, #filters, #list + 1, list)
  list[#list + 1] = "GIT_TERMINAL_PROMPT=0"
  table.sort(list)
  return list
end

--- These system errors mean that git could not read a file.
local of_a_look = { ["Permission denied"] = true, ["Operation not permitted"] = true,
  ["Input/output error"] = true, ["Stale file handle"] = true,
  ["Transport endpoint is not connected"] = true, ["Too many open files"] = true }

--- Returns paths that git could not read. Git treats such files as unchanged and exits with 0.
function M.unread(stderr)
  local list = {}
  for line in stderr:gmatch("[^\n]+") do
    local said, why = line:match("^(.*): ([^:]+)$")
    -- Skip warnings about git's own ignore and settings files outside of the repository.
    if of_a_look[why] and not said:find("^warning: unable to access ") then
      list[#list + 1] = said:match("^warning: could not open directory '(.-)/?'$") or said
    end
  end
  return list
end

--- Reports whether the work tree's file system is case-sensitive.
--- The setting core.ignorecase is not used, because a repository may come from another machine.
---@param top string  absolute
function M.tells_case(top)
  local root = core.file.root(top)
  local own, other = root and core.file.stat(root, ".git"), root and core.file.stat(root, ".GIT")
  return not (own and other and own.inode == other.inode)
end

--- Returns an absolute path unchanged, and a relative path as a path below `base`.
function M.below(base, path) return path:sub(1, 1) == "/" and path or base .. "/" .. path end

--- Opens a work tree's two git folders without running git. In a main work tree they are the same.
--- The folder `own` has the index; the folder `common` has config, hooks and info.
--- Returns nil if the work tree has no git folder.
---@param top string  absolute path
---@return any own, any common, string? path, string? own_path  path of the common folder, and of the own one
function M.dirs(top)
  local root = core.file.root(top)
  local info = root and core.file.stat(root, ".git")
  if not info then return nil end
  local path = top .. "/.git"
  if info.type == "file" then
    local named = (core.file.read(root, ".git", 8192) or ""):match("^gitdir: ([^\r\n]+)")
    if not named then return nil end
    path = M.below(top, named)
  end
  local own = core.file.root(path)
  if not own then return nil end
  local shared = (core.file.read(own, "commondir", 8192) or ""):match("^[^\r\n]+")
  if not shared then return own, own, path, path end
  local common = M.below(path, shared)
  return own, core.file.root(common), common, path
end

return M
