--- Lists every file of a worktree with its inode, size, mode and times, and compares such lists. The
--- host keeps a list where no agent can write, so a file that an agent touched is found even if its
--- size and modification time were set back: no program can set the change time. Needs GNU find.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local git = require "moonlet.engine.workspace.git"

local M = {}

local wall_ms = 10 * 60 * 1000
local cap = 8 << 20
--- A folder's times change with each new file, so only its mode and owner count.
local format = { "-type", "d", "-fprintf", false, "d %m %U %G/%P\\0", "-o", "-fprintf", false,
  "%y %i %s %m %T@ %C@ %n %U %G/%P\\0" }

local function call(run, key, cwd, argv)
  local exit = infrastructure_error.run_child { step = key .. "/worktree", argv = argv, cwd = cwd,
    env = git.environment(run), wall_ms = wall_ms, cap = cap }
  if exit.why == "exited" and exit.code == 0 and not exit.stdout_cut then return exit.stdout end
  error({ kind = "failed", message = ("the files of %s cannot be listed: %s"):format(cwd,
    core.text.printable(exit.stderr ~= "" and exit.stderr or exit.why, 300)) }, 0)
end

--- Writes the list of a worktree to a file. The worktree's own `.git` is left out.
---@param run table
---@param key string
---@param path string  absolute path of the worktree
---@param file string  absolute path of the list
function M.write(run, key, path, file)
  local argv = { "find", ".", "-path", "./.git", "-prune", "-o" }
  for _, word in ipairs(format) do argv[#argv + 1] = word or file end
  call(run, key, path, argv)
  call(run, key, path, { "sort", "-z", "-o", file, file })
end

--- Returns the types of the listed paths, as find prints them: f, d, l and so on.
local function types_of(text, is_new)
  local types = {}
  for line in text:gmatch "([^%z]*)%z" do
    local lead, kind, path = line:match "^(\t?)(%a)[^/]*/(.*)$"
    if path and (lead == "\t") == is_new then types[path] = kind end
  end
  return types
end

--- Compares two lists. Both results hold only the paths whose entries differ.
---@param run table
---@param key string
---@param old string  absolute path of a list
---@param new string
---@return table<string, string> before, table<string, string> after  types by path
function M.compare(run, key, old, new)
  local text = call(run, key, run.top, { "comm", "-z", "-3", old, new })
  return types_of(text, false), types_of(text, true)
end

return M
