--- Changes in the work tree while an agent worked. In a tree that others use too this says when, not who: it may have
--- been the user's editor. Ignored files and changes outside of the tree are not seen.
local m = require "moonlet"

local find, lower, match, sub = string.find, string.lower, string.match, string.sub

local M = {}

local status_cap = 4 << 20
local walk_files, walk_bytes, file_cap = 400, 4 << 20, 256 << 10
local dirty_limit = 2000

local function git(ctx, args, env, stdin)
  local started, result = pcall(m.git.run, ctx, args, { cap = status_cap, env = env, stdin = stdin, timeout = "1m" })
  if not started then return nil, type(result) == "table" and result.message or "git could not be started" end
  if result.code ~= 0 then return nil, m.git.failure(result, "read the work tree").message end
  if result.cut then return nil, "it has too many changed files" end
  return result.stdout
end

-- The content of files that differ from the last commit, so that a second change to one of them is seen.
local function hashes(ctx, entries, env)
  local paths, list = {}, {}
  for _, entry in ipairs(entries) do
    if #paths < dirty_limit and not find(entry.path, "\n", 1, true) and sub(entry.path, -1) ~= "/"
      and entry.worktree ~= "D" and entry.index ~= "D" and not find(entry.submodule or "N", "^S") then
      paths[#paths + 1] = entry.path
    end
  end
  if #paths == 0 then return list end
  local args = { "hash-object", "--no-filters", "--stdin-paths" }
  local text = git(ctx, args, env, table.concat(paths, "\n") .. "\n")
  local i = 0
  for hash in string.gmatch(text or "", "%x+") do
    i = i + 1
    list[paths[i] or ""] = hash
  end
  return list
end

local function git_state(ctx)
  local config = m.git.config_call()
  local started, result = pcall(m.git.run, ctx, config[1], config[2])
  if not started then return nil, "git could not be started" end
  local env = m.git.read_config(result)
  local text, why = git(ctx, { "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all",
    "--ignore-submodules=dirty" }, env)
  if not text then return nil, why end
  local status = m.git.parse_status(text)
  local state = { files = {}, refs = {}, head = status.branch or status.head or "" }
  local dirty = hashes(ctx, status.entries, env)
  for _, entry in ipairs(status.entries) do
    if not find(entry.path, "^%.agent/") then
      state.files[entry.path] = ("%s%s %s %s"):format(entry.index, entry.worktree, dirty[entry.path] or "",
        table.concat(entry.modes or {}, " "))
    end
  end
  local refs = git(ctx, { "for-each-ref", "--format=%(refname) %(objectname)" }, env)
  for name, id in string.gmatch(refs or "", "(%S+) (%x+)") do state.refs[name] = id end
  return state
end

-- A folder that is no repository, if it is small.
local function walked_state(ctx)
  local state = { files = {}, refs = {}, head = "", plain = true }
  local pending, files, bytes = { "" }, 0, 0
  while #pending > 0 do
    local folder = table.remove(pending)
    for _, entry in ipairs(ctx:list(folder == "" and "." or folder, { missing = "nil" }) or {}) do
      local path = folder == "" and entry.name or folder .. "/" .. entry.name
      if entry.type == "directory" then
        if entry.name ~= ".git" and path ~= ".agent" then pending[#pending + 1] = path end
      elseif entry.type == "file" then
        local text = ctx:read(path, { cap = file_cap, missing = "nil" }) or ""
        files, bytes = files + 1, bytes + #text
        if files > walk_files or bytes > walk_bytes then return nil, "the folder is no git repository and too large" end
        state.files[path] = text
      end
    end
  end
  return state
end

--- The present state of the work tree, to compare with a later one.
---@param ctx table
---@return table? state, string? why it cannot be read
function M.state(ctx)
  local state, why = git_state(ctx)
  if state then return state end
  if find(why, "not a git repository", 1, true)
    or find(why, "could not be started", 1, true) then return walked_state(ctx) end
  return nil, why
end

--- The files that a sentence about edits names: docs/x.md, src/, *.lua, and entries of the top folder.
---@param ctx table
---@param text string
---@return string[]
function M.named_in(ctx, text)
  local patterns, top = {}, {}
  for _, entry in ipairs(ctx:list(".", { missing = "nil" }) or {}) do top[entry.name] = true end
  for word in string.gmatch(text, "[^%s,;`\"'%(%)]+") do
    local bare = match(word, "^(.-)[%.:!]*$")
    if top[bare] or find(bare, "[/*]") or find(bare, "%w%.%l%w*$") then patterns[#patterns + 1] = bare end
  end
  return patterns
end

local function covers(pattern, path)
  pattern = match(pattern, "^%./(.*)$") or pattern
  if pattern == path or sub(pattern, -1) == "/" and sub(path, 1, #pattern) == pattern
    or sub(path, 1, #pattern + 1) == pattern .. "/" then
    return true
  end
  if not find(pattern, "*", 1, true) then return false end
  local lua = pattern:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*%*/?", "\1"):gsub("%*", "[^/]*"):gsub("\1", ".*")
  return find(path, "^" .. lua .. "$") ~= nil or find(match(path, "[^/]*$"), "^" .. lua .. "$") ~= nil
end

--- True if a change was allowed, false if not, nil if nobody can tell.
---@param path string
---@param patterns string[]? the files that may change; nil: the words about edits name none
---@return boolean?
function M.allowed(path, patterns)
  if not patterns then return nil end
  for _, pattern in ipairs(patterns) do
    if covers(pattern, path) then return true end
  end
  return false
end

local function word_for(before, after)
  if before == nil then return find(after, "^%?") and "created" or find(lower(after), "^.?d") and "deleted"
    or "changed" end
  if after == nil then return "changed back or committed" end
  return find(lower(after), "^.?d") and "deleted" or "changed"
end

--- The differences between two states: {files = {{path, change, allowed}}, refs = names}.
---@param before table
---@param after table
---@param patterns string[]?
---@return table
function M.between(before, after, patterns)
  local found = { files = {}, refs = {} }
  local function note(path, change)
    found.files[#found.files + 1] = { path = path, change = change, allowed = M.allowed(path, patterns) }
  end
  for path, mark in pairs(after.files) do
    if before.files[path] ~= mark then
      note(path, after.plain and (before.files[path] and "changed" or "created") or word_for(before.files[path], mark))
    end
  end
  for path in pairs(before.files) do
    if after.files[path] == nil then note(path, after.plain and "deleted" or word_for("", nil)) end
  end
  for name, id in pairs(after.refs) do
    if before.refs[name] ~= id then found.refs[#found.refs + 1] = name end
  end
  for name in pairs(before.refs) do
    if after.refs[name] == nil then found.refs[#found.refs + 1] = name end
  end
  if before.head ~= after.head then found.refs[#found.refs + 1] = "HEAD" end
  table.sort(found.files, function(x, y) return x.path < y.path end)
  table.sort(found.refs)
  return found
end

return M
