--- The host's own calls of git: what a user's config or environment says about output and application of
--- a patch changes nothing, and nothing that a repository holds is started by them.
local M = {}

--- Each of them can change what a diff prints, where a patch is applied, what is taken into an index, or
--- start a program.
local pinned = {
  "core.fsmonitor=false", "core.hooksPath=/dev/null", "core.untrackedCache=false", "core.splitIndex=false",
  "core.quotePath=true", "core.safecrlf=false", "core.bigFileThreshold=512m", "core.alternateRefsCommand=",
  "core.ignoreStat=false", "core.trustctime=true", "core.checkStat=default",
  "gc.auto=0", "maintenance.auto=false", "color.ui=false", "add.ignoreErrors=false", "commit.gpgSign=false",
  "submodule.recurse=false", "diff.noprefix=false", "diff.mnemonicPrefix=false", "diff.orderFile=/dev/null",
  "diff.external=", "diff.relative=false", "diff.renames=false", "diff.suppressBlankEmpty=false",
  "diff.context=3", "diff.interHunkContext=0", "diff.algorithm=myers", "diff.submodule=short",
  "diff.ignoreSubmodules=none", "diff.indentHeuristic=false", "apply.whitespace=nowarn",
  "apply.ignoreWhitespace=no", "status.relativePaths=false", "status.showStash=false", "status.branch=false",
}

--- What makes a patch the same everywhere.
M.diff_options = {
  "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--no-renames", "--no-indent-heuristic",
  "--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=myers", "--unified=3", "--inter-hunk-context=0",
  "--submodule=short", "-O/dev/null",
}

--- The command line of a git command.
---@param words string[]
---@return string[]
function M.command(words)
  local argv = { "git", "--no-pager" }
  for _, item in ipairs(pinned) do
    argv[#argv + 1] = "-c"
    argv[#argv + 1] = item
  end
  for _, word in ipairs(words) do argv[#argv + 1] = word end
  return argv
end

--- The environment of such a call: no variable of git's own but those that are given.
---@param run table
---@param extra table<string, string>?
---@return string[]
function M.environment(run, extra)
  local list = {}
  for _, item in ipairs(run.child_environment { LC_ALL = "C", LANGUAGE = false }) do
    if item:sub(1, 4) ~= "GIT_" then list[#list + 1] = item end
  end
  for name, value in pairs(extra or {}) do list[#list + 1] = name .. "=" .. value end
  list[#list + 1] = "GIT_TERMINAL_PROMPT=0"
  table.sort(list)
  return list
end

local function below(base, path) return path:sub(1, 1) == "/" and path or base .. "/" .. path end

--- The folders that hold what is git's own of a work tree, opened: its own one (its index lies there), and the one
--- that it shares with others (config, hooks, info). Nil where there is none; git is not asked.
---@param top string  absolute
---@return any own, any common, string? path  of the common one
function M.dirs(top)
  local root = core.file.root(top)
  local info = root and core.file.stat(root, ".git")
  if not info then return nil end
  local path = top .. "/.git"
  if info.type == "file" then
    local named = (core.file.read(root, ".git", 8192) or ""):match("^gitdir: ([^\r\n]+)")
    if not named then return nil end
    path = below(top, named)
  end
  local own = core.file.root(path)
  if not own then return nil end
  local shared = (core.file.read(own, "commondir", 8192) or ""):match("^[^\r\n]+")
  if not shared then return own, own, path end
  path = below(path, shared)
  return own, core.file.root(path), path
end

return M
