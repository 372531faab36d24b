--- Finds changes in the user's work tree with one `git status`, which reads the files only once.
local git = require "moonlet.engine.workspace.git"
local scratch_index = require "moonlet.engine.workspace.scratch_index"

local M = {}

local list_cap = core.process.largest_cap
local words = { "--no-optional-locks", "status", "--porcelain=v2", "-z", "--branch",
  "--no-ahead-behind",
  "--untracked-files=all", "--ignore-submodules=dirty", "--no-renames" }

---@class moonlet.Status
---@field head string?       commit that the index was compared with
---@field is_head boolean?   true if the index has exactly the files of that commit
---@field changed string[]   tracked files that differ from the index
---@field gone string[]      tracked files that are missing
---@field unmerged string[]
---@field untracked string[]
---@field cut boolean?       true if `untracked` is incomplete

--- Returns the changes in the work tree, or nil if git could not read everything. The user's git
--- settings apply, so the caller must make sure that no attribute converts a file.
---@param run table
---@param key string
---@param index string  absolute path of the index of tracked files
---@return moonlet.Status?
function M.of(run, key, index)
  local command = { "-c", "core.ignorecase=" .. tostring(not git.tells_case(run.top)),
    table.unpack(words) }
  local exit = scratch_index.git(run, key, run.top, command,
    { env = { GIT_INDEX_FILE = index }, cap = list_cap, may_cut = true, may_fail = true })
  if exit.code ~= 0 or exit.stdout_cut or git.unread(exit.stderr)[1] then return nil end
  local found = { is_head = true, changed = {}, gone = {}, unmerged = {}, untracked = {} }
  for line in exit.stdout:gmatch "([^%z]+)%z" do
    local kind, rest = line:match "^(%S) (.*)$"
    if kind == "#" then
      found.head = found.head or rest:match "^branch%.oid (%x+)$"
    elseif kind == "?" then
      table.insert(found.untracked, rest)
    elseif kind == "u" then
      table.insert(found.unmerged, rest:match "^%S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (.*)$")
    elseif kind == "1" then
      local staged, state, path = rest:match "^(.)(.) %S+ %S+ %S+ %S+ %S+ %S+ (.*)$"
      if staged ~= "." then found.is_head = false end
      if state ~= "." then table.insert(state == "D" and found.gone or found.changed, path) end
    else
      return nil
    end
  end
  return found.head and found
end

return M
