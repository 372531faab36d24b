--- What the work tree comes to with a patch, worked out away from it: git applies the patch to an index of
--- our own that holds what is there now, and writes the files that differ into a folder of ours. Nothing of
--- the work tree is changed, and each file is told by what it was when it was read.
local own_index = require "moonlet.internal.own_index"

local M = {}

local pause_every = 200
local synced_alone = 32 -- files, above which one wait for the whole disk takes less

---@class moonlet.OverlayEntry
---@field path string
---@field base string     what the work tree holds, as core.file.content says it; "" is nothing
---@field result string   what it is to hold
---@field name string     of the file in the folder; what was there comes to lie under it

---@class moonlet.Change   as `git diff --name-status` names it
---@field path string
---@field state string

local function conflict(path, why)
  local shown = core.text.printable(path, 300)
  error({ kind = "failed", class = "conflict",
    message = ("what the agent changed does not apply any more: %s %s"):format(shown, why) }, 0)
end

local function content(root, path, durable)
  local found, err = core.file.content(root, path, durable)
  if not found then error(err, 0) end
  return found
end

--- Whether a folder holds nothing that would stay, when what the patch deletes is gone.
local function is_emptied(root, folder, deleted)
  local pending = { folder }
  while #pending > 0 do
    local at = table.remove(pending)
    local list, err = core.file.list(root, at)
    if not list then error(err, 0) end
    for _, entry in ipairs(list) do
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

--- Raises when something is in the way of a path that the patch makes, and git would not say so: what is
--- ignored, or not tracked.
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
    if state ~= "directory" then conflict(path, ("has %s in its way"):format(core.text.printable(prefix, 300))) end
  end
end

--- What the work tree holds at the paths of a patch; raises when something is there that cannot give way.
local function look(root, changes)
  local states, deleted, known = {}, {}, {}
  for _, change in ipairs(changes) do deleted[change.path] = change.state == "D" or nil end
  for i, change in ipairs(changes) do
    local path = change.path
    local state = content(root, path)
    if state == "special" then conflict(path, "is no file here") end
    if change.state ~= "D" then check_way(root, path, deleted, known) end
    if state == "directory" and change.state ~= "D" then
      if not is_emptied(root, path, deleted) then conflict(path, "is a folder here, which is not empty") end
    end
    states[path] = (state == "directory" or state == "beyond") and "" or state
    if i % pause_every == 0 then core.task.sleep(0) end
  end
  return states
end

--- Applies the patch to the index. Gives false when the index has it already.
local function apply(run, key, patch, env)
  local file = run.absolute(patch)
  local command = { "apply", "--cached", "--whitespace=nowarn", "--no-ignore-whitespace", file }
  local applied = own_index.git(run, key, run.top, command, { env = env, may_fail = true })
  if applied.code == 0 then return true end
  -- The user may have done it by hand.
  table.insert(command, 2, "--reverse")
  table.insert(command, 2, "--check")
  if own_index.git(run, key, run.top, command, { env = env, may_fail = true }).code == 0 then return false end
  error({ kind = "failed", class = "conflict",
    message = "what the agent changed does not apply any more: " .. core.text.printable(applied.stderr, 600) }, 0)
end

--- The files that the patch makes or changes, written by git as a checkout would, filters and all.
local function write_files(run, key, dir, folder, list, env)
  local command, attributes = { "checkout-index", "-z", "--force", "--stdin" }, false
  for _, path in ipairs(list) do attributes = attributes or path:match("[^/]+$") == ".gitattributes" end
  if attributes then
    -- Those of the work tree are not those that the files are to have.
    local own = own_index.git(run, key, run.top, { "rev-parse", "--absolute-git-dir" }).stdout:gsub("\n$", "")
    table.insert(command, 1, "--work-tree=" .. folder)
    table.insert(command, 1, "--git-dir=" .. own)
  else
    command[#command + 1] = "--prefix=" .. folder .. "/"
  end
  own_index.feed(run, key, dir, attributes and folder or run.top, command, list, { env = env })
end

--- A file keeps the permissions that the user gave it, but for the bit that git knows.
local function keep_mode(stage, name, base, result, durable)
  local had, has = base:match("^file (%d+)"), result:match("^file (%d+)")
  if not had or not has or had == has then return result end
  local was, is = tonumber(had, 8), tonumber(has, 8)
  if (was & 64) ~= (is & 64) then return result end
  local done, err = core.file.set_mode(stage, name, was)
  if not done then error(err, 0) end
  return content(stage, name, durable)
end

--- Where the results lie, beneath `.agent`.
---@param dir string   the step's folder
function M.folder(dir) return dir .. "/landing" end

--- Works it out.
---@param run table
---@param key string
---@param dir string
---@param parent string      a folder that no agent can write, absolute
---@param changes moonlet.Change[]
---@param patch string       beneath `.agent`
---@param prefix string      of the names in the folder
---@return moonlet.OverlayEntry[]?   nothing when the work tree has it all already
function M.of(run, key, dir, parent, changes, patch, prefix)
  local root, err = core.file.root(run.top)
  if not root then error(err, 0) end
  local states = look(root, changes)
  local there, gone, made = {}, {}, {}
  for _, change in ipairs(changes) do
    local list = states[change.path] == "" and gone or there
    list[#list + 1] = change.path
    if change.state ~= "D" then made[#made + 1] = change.path end
  end
  local folder = M.folder(dir)
  local stage
  stage, err = core.file.make_root(run.absolute(folder))
  if not stage then error(err, 0) end
  core.file.remove(stage, "tree")
  return own_index.with(parent, core.run.step_name(key) .. "-" .. run.id, function(env)
    own_index.fill(run, key, folder, env)
    own_index.reread(run, key, folder, env, there, gone)
    if not apply(run, key, patch, env) then return nil end
    local _, failed = core.file.make_root(run.absolute(folder .. "/tree"))
    if failed then error(failed, 0) end
    write_files(run, key, folder, run.absolute(folder .. "/tree"), made, env)
    local entries, files, alone = {}, {}, #made <= synced_alone
    for i, change in ipairs(changes) do
      local path, name = change.path, prefix .. i
      local result, base = "", states[change.path]
      if change.state ~= "D" then
        local moved, why = core.file.rename(stage, "tree/" .. path, name)
        if not moved then error(why, 0) end
        result = keep_mode(stage, name, base, content(stage, name, alone), alone)
        if result:sub(1, 4) == "file" then files[#files + 1] = name end
      end
      if result ~= base then
        entries[#entries + 1] = { path = path, base = base, result = result, name = name }
      end
      if i % pause_every == 0 then core.task.sleep(0) end
    end
    core.file.remove(stage, "tree")
    if not alone then
      local done, why = core.file.sync(stage, files)
      if not done then error(why, 0) end
    end
    return entries
  end)
end

return M
