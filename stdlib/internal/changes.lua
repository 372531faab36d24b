--- What changed on disk between two looks at a folder: by git where there is a repository (ignored
--- files do not count), else by walking it.
local host_git = require "moonlet.internal.host_git"

local M = {}

local walk_cap = 20000
local status_cap = 16 << 20
local listed_cap = 2000

---@class moonlet.Snapshot
---@field head string?                   the commit that is checked out, or "" before the first
---@field files table<string, string>     path -> what tells one state of it from another
---@field partial boolean?                there were too many files to look at all of them

local function fingerprint(root, path)
  local info = core.file.stat(root, path)
  if not info then return "gone" end
  return ("%s %d %d %d %o"):format(info.type, info.size, info.mtime_ns, info.inode, info.mode)
end

--- The entries of `git status --porcelain=v2 -z`: path -> state.
local function read_status(text, root)
  local head, files = nil, {}
  local skip_next = false
  for entry in text:gmatch("([^%z]*)%z") do
    local kind = entry:sub(1, 1)
    if skip_next then
      skip_next = false
    elseif kind == "#" then
      head = entry:match("^# branch%.oid (%S+)") or head
    else
      local state, path
      if kind == "1" then
        state, path = entry:match("^1 (%S+ %S+ %S+ %S+ %S+ %S+ %S+) (.*)$")
      elseif kind == "2" then
        state, path = entry:match("^2 (%S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+) (.*)$")
        skip_next = true
      elseif kind == "u" then
        state, path = entry:match("^u (%S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+) (.*)$")
      else
        state, path = entry:match("^(%?) (.*)$")
      end
      if path then files[path] = state .. " " .. fingerprint(root, path) end
    end
  end
  return head == "(initial)" and "" or head, files
end

local function git_snapshot(run, folder, root)
  local exit = core.process.run {
    step = "changes", cwd = folder, env = host_git.environment(run, { GIT_OPTIONAL_LOCKS = "0" }), wall = 60000,
    argv = host_git.command { "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--no-renames",
      "--ignore-submodules=dirty" },
    cap = status_cap,
  }
  if exit.why ~= "exited" or exit.code ~= 0 then return nil end
  local head, files = read_status(exit.stdout, root)
  return { head = head, files = files, partial = exit.stdout_cut or nil }
end

local function walk(root)
  local snapshot, left = { files = {} }, walk_cap
  local function visit(folder)
    for _, entry in ipairs(core.file.list(root, folder) or {}) do
      local path = folder == "." and entry.name or folder .. "/" .. entry.name
      if entry.type == "directory" then
        if entry.name ~= ".git" and path ~= ".agent" then visit(path) end
      elseif left == 0 then
        snapshot.partial = true
      else
        left = left - 1
        snapshot.files[path] = fingerprint(root, path)
      end
    end
  end
  visit(".")
  return snapshot
end

--- Looks at a folder.
---@param run table
---@param folder string  absolute
---@return moonlet.Snapshot?  nil when it cannot be looked at
function M.snapshot(run, folder)
  local root = core.file.root(folder)
  if not root then return nil end
  return run.home.git and git_snapshot(run, folder, root) or walk(root)
end

--- What differs between two looks: paths, sorted; a moved HEAD as ".git/HEAD".
---@param before moonlet.Snapshot?
---@param after moonlet.Snapshot?
---@return string[] paths, boolean cut
function M.between(before, after)
  if not before or not after then return {}, false end
  local paths = {}
  for path, state in pairs(after.files) do
    if before.files[path] ~= state then paths[#paths + 1] = path end
  end
  for path in pairs(before.files) do
    if after.files[path] == nil then paths[#paths + 1] = path end
  end
  if before.head ~= after.head then paths[#paths + 1] = ".git/HEAD" end
  table.sort(paths)
  local cut = before.partial or after.partial or #paths > listed_cap or false
  for i = #paths, listed_cap + 1, -1 do paths[i] = nil end
  return paths, cut
end

--- The list for a person.
---@param paths string[]
---@param cut boolean
---@return string
function M.text(paths, cut)
  if #paths == 0 then return "nothing that git or a look at the folder would show\n" end
  local lines = {}
  for i = 1, math.min(#paths, 100) do lines[i] = "  " .. core.text.printable(paths[i], 200) end
  if #paths > 100 then lines[#lines + 1] = ("  and %d more"):format(#paths - 100) end
  if cut then lines[#lines + 1] = "  (there were too many to look at all of them)" end
  return table.concat(lines, "\n") .. "\n"
end

return M
