--- Plans a merge without changing the work tree.
--- Each file gets a three-way merge of base, user's version and agent's version.
--- The results are written to a separate folder.
--- The plan records the current content of each file in the work tree, to detect later changes.
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local plumbing = require "moonlet.engine.workspace.plumbing"
local cooperative = require "moonlet.engine.base.cooperative"

local M = {}

local git = scratch_index.git
local list_cap = core.process.largest_cap
local synced_alone = 32 -- For more files than this, one sync of the whole file system is faster.

---@class moonlet.OverlayEntry
---@field path string
---@field base string     expected content, as core.file.content returns it; "" means no file
---@field result string   content after the merge
---@field name string     file in the plan's folder; a swap puts the replaced file there

---@class moonlet.Change   the agent's change of one file, as in a line of `git diff --raw`
---@field path string
---@field state string
---@field was { mode: string, id: string }?   version before the agent's change; nil for a new file
---@field is { mode: string, id: string }?    agent's version; nil for a deleted file

--- Describes how one file is merged.
---@class moonlet.Decision
---@field id string?      object id of the result; nil deletes the file
---@field mode string?    file mode in git's format
---@field merged boolean? true if the three versions must still be merged line by line
---@field union boolean?  true to keep both sides of conflicting lines

local function conflict(path, why)
  local shown = core.text.printable(path, 300)
  error({ kind = "failed", class = "conflict",
    message = ("the agent's change does not apply any more: %s %s"):format(shown, why) }, 0)
end

local function must(value, err)
  if value == nil then error(err, 0) end
  return value
end

local function content(root, path, durable) return must(core.file.content(root, path, durable)) end

--- Reports whether the agent's deletions remove everything in a folder.
local function is_emptied(root, folder, deleted)
  local pending = { folder }
  while #pending > 0 do
    local at = table.remove(pending)
    for _, entry in ipairs(must(core.file.list(root, at))) do
      local path = at .. "/" .. entry.name
      if entry.type == "directory" then
        pending[#pending + 1] = path
      elseif not deleted[path] then
        return false
      end
    end
  end
  return true
end

--- Raises a conflict if an untracked or ignored file blocks a new path. Git would not report that.
local function check_way(root, path, deleted, known)
  local prefix = ""
  for name in path:gmatch("([^/]+)/") do
    prefix = prefix == "" and name or prefix .. "/" .. name
    local state = known[prefix]
    if not state then
      state = content(root, prefix)
      known[prefix] = state
    end
    if state == "" or deleted[prefix] then return end
    if state ~= "directory" then
      conflict(path, ("has %s in its way"):format(core.text.printable(prefix, 300)))
    end
  end
end

--- Returns the content at a path of the work tree. Raises a conflict if a merge cannot replace it.
local function look_at(root, change, deleted, known)
  local path = change.path
  local state = content(root, path)
  if state == "special" then conflict(path, "is not a file here") end
  if change.state ~= "D" then check_way(root, path, deleted, known) end
  if state == "directory" and change.state ~= "D" and not is_emptied(root, path, deleted) then
    conflict(path, "is a folder here, which is not empty")
  end
  return (state == "directory" or state == "beyond") and "" or state
end

local function is_link(version) return version.mode == "120000" end

local function is_same(one, other) return one.id == other.id and is_link(one) == is_link(other) end

--- Decides how to merge the three versions of a file. Returns nil if the work tree needs no change.
---@param change moonlet.Change
---@param mine { mode: string, id: string }?  version in the work tree
---@param rule "never"|"union"|nil
---@return moonlet.Decision?
local function decide(change, mine, rule)
  local path, was, is = change.path, change.was, change.is
  if not is then
    if mine and not is_same(mine, was) then
      conflict(path, "was changed here, and the agent removed it")
    end
    return mine and {}
  end
  if not mine then
    if was then conflict(path, "is not here any more, and the agent changed it") end
    return { id = is.id, mode = is.mode }
  end
  if is_same(mine, is) or was and is_same(mine, was) then return { id = is.id, mode = is.mode } end
  if not was then conflict(path, "exists here already, and the agent made another file") end
  if is_link(was) or is_link(mine) or is_link(is) then conflict(path, "was changed here too") end
  if is_same(was, is) then return { id = mine.id, mode = is.mode } end
  if rule == "never" then
    conflict(path, "was changed here too, and git's attributes say that it is not merged")
  end
  return { id = mine.id, mode = is.mode, merged = true, union = rule == "union" }
end

--- Returns the permissions of the user's file, after applying the agent's change of the executable
--- bit, if any.
local function mode_for(change, base)
  local had = tonumber(base:match("^file (%d+)") or "", 8)
  if not had or not change.is or is_link(change.is) then return nil end
  if not change.was or is_link(change.was) or change.was.mode == change.is.mode then return had end
  return change.is.mode == "100755" and had | (had & 292) >> 2 or had & ~73
end

--- Writes the contents of index entries as files into the plan's folder.
local function write_files(run, key, dir, tree, entries)
  if #entries == 0 then return end
  local folder = run.absolute(M.folder(dir))
  scratch_index.with(tree.raw.path, "results", function(own)
    local env = plumbing.env(tree.raw, folder, own.GIT_INDEX_FILE)
    scratch_index.feed(run, key, M.folder(dir), folder, { "update-index", "-z", "--index-info" },
      scratch_index.info_of(entries), { env = env })
    git(run, key, folder, { "checkout-index", "--all", "--force", "--quiet" }, { env = env })
  end)
end

local function merge_lines(run, key, dir, stage, tree, change, name, union)
  local folder = run.absolute(M.folder(dir))
  local mine, was, is = name, name .. ".began", name .. ".agent"
  local command = { "merge-file", "--quiet", mine, was, is }
  if union then table.insert(command, 3, "--union") end
  local exit = git(run, key, folder, command,
    { env = plumbing.env(tree.raw, folder, folder .. "/none"), may_fail = true })
  must(core.file.remove(stage, was))
  must(core.file.remove(stage, is))
  if exit.code > 127 then
    conflict(change.path, "was changed here too, and its lines cannot be merged")
  end
  if exit.code > 0 then conflict(change.path, "was changed here too, in the same lines") end
end

--- Returns the user's versions of the files at these paths.
local function versions_here(run, key, dir, tree, paths)
  local found = {}
  scratch_index.with(tree.raw.path, "here", function(own)
    local env = plumbing.env(tree.raw, run.top, own.GIT_INDEX_FILE)
    scratch_index.take(run, key, M.folder(dir), run.top, paths, {}, env)
    for _, entry in ipairs(#paths > 0 and scratch_index.entries(run, key, env) or {}) do
      found[entry.path] = entry
    end
  end)
  return found
end

--- Returns the merge rules in git attributes, "never" or "union", for these files.
--- A custom merge driver is a program and never runs, so its files count as "never".
---@return table<string, "never"|"union">
local function rules_for(run, key, dir, paths)
  local rules = {}
  local exit = scratch_index.feed(run, key, M.folder(dir), run.top,
    { "check-attr", "-z", "--stdin", "merge" }, paths,
    { cap = list_cap })
  for path, value in (exit and exit.stdout or ""):gmatch("([^%z]+)%zmerge%z([^%z]*)%z") do
    local is_plain = value == "unspecified" or value == "set" or value == "text"
    rules[path] = value == "union" and "union" or not is_plain and "never" or nil
  end
  return rules
end

--- Returns the conflicting files that are new and ignored by git, to leave them out of the merge.
--- Raises an error for any other conflict.
local function sort_out(run, key, dir, clashes)
  local made, left, ignored = {}, {}, {}
  for _, clash in ipairs(clashes) do
    if clash.change.state == "A" then made[#made + 1] = clash.change.path end
  end
  if #made > 0 then
    local found, exit = pcall(scratch_index.feed, run, key, M.folder(dir), run.top,
      { "check-ignore", "-z", "--no-index", "--stdin" }, made, { may_fail = true })
    for path in (found and exit.code <= 1 and exit.stdout or ""):gmatch("([^%z]+)%z") do
      ignored[path] = true
    end
  end
  for _, clash in ipairs(clashes) do
    if not ignored[clash.change.path] then error(clash.why, 0) end
    left[#left + 1] = clash.change.path
  end
  return left
end

--- Calls fn(change) for each change. If fn raises a conflict, adds the change to `clashes`.
local function without_clashes(changes, clashes, fn)
  local breathe = cooperative.new()
  for _, change in ipairs(changes) do
    if not clashes[change.path] then
      local ok, why = pcall(fn, change)
      if not ok then
        if type(why) ~= "table" or why.class ~= "conflict" then error(why, 0) end
        clashes[change.path] = true
        clashes[#clashes + 1] = { change = change, why = why }
      end
    end
    breathe()
  end
end

--- Decides how each changed path is merged.
local function decisions(run, key, dir, tree, changes)
  local root = must(core.file.root(run.top))
  local states, deleted, known, clashes, there, decided = {}, {}, {}, {}, {}, {}
  for _, change in ipairs(changes) do deleted[change.path] = change.state == "D" or nil end
  without_clashes(changes, clashes, function(change)
    local state = look_at(root, change, deleted, known)
    states[change.path] = state
    if state ~= "" then there[#there + 1] = change.path end
  end)
  local here, rules = versions_here(run, key, dir, tree, there), rules_for(run, key, dir, there)
  without_clashes(changes, clashes, function(change)
    decided[change.path] = decide(change, here[change.path], rules[change.path])
  end)
  return decided, states, #clashes > 0 and sort_out(run, key, dir, clashes) or {}
end

--- Returns the folder of merge results, below `.agent`.
---@param dir string   folder of the step
function M.folder(dir) return dir .. "/landing" end

--- Decides how each of the changes will be merged, and writes the results into a separate folder.
---@param changes moonlet.Change[]
---@param prefix string            prefix of file names in the folder of merge results
---@return moonlet.OverlayEntry[]  empty if the work tree has all changes already
---@return string[] left           ignored files, left out because the user has another version
function M.of(run, key, dir, tree, changes, prefix)
  local stage = must(core.file.make_root(run.absolute(M.folder(dir))))
  local work = must(core.file.root(run.top))
  local decided, states, left = decisions(run, key, dir, tree, changes)
  local written = {}
  for i, change in ipairs(changes) do
    local decision, name = decided[change.path], prefix .. i
    local function write(suffix, mode, id)
      written[#written + 1] = { mode = mode, id = id, path = name .. suffix }
    end
    if decision and decision.id then write("", decision.mode, decision.id) end
    if decision and decision.merged then
      write(".began", "100644", change.was.id)
      write(".agent", "100644", change.is.id)
    end
  end
  write_files(run, key, dir, tree, written)
  local entries, files, alone = {}, {}, #written <= synced_alone
  local breathe = cooperative.new()
  for i, change in ipairs(changes) do
    local path, name, decision = change.path, prefix .. i, decided[change.path]
    local result, base = "", states[path]
    if decision and decision.id then
      if decision.merged then
        merge_lines(run, key, dir, stage, tree, change, name, decision.union)
      end
      must(core.file.inherit(stage, name, work, path))
      local mode = mode_for(change, base)
      -- A file with new content must not inherit a set-user-ID bit.
      if mode and mode > 511 and content(stage, name):match("%x+$") ~= base:match("%x+$") then
        mode = mode & 511
      end
      if mode then must(core.file.set_mode(stage, name, mode)) end
      result = content(stage, name, alone)
      if result:sub(1, 4) == "file" then files[#files + 1] = name end
    end
    if decision and result ~= base then
      entries[#entries + 1] = { path = path, base = base, result = result, name = name }
    elseif decision and decision.id then
      must(core.file.remove(stage, name))
    end
    breathe()
  end
  if not alone then must(core.file.sync(stage, files)) end
  return entries, left
end

return M
