--- Skills: folders that hold a SKILL.md. Finds those that a change touches, their shared parts, and so the skills to
--- install again: an installed copy is stale as soon as any file of its skill changes.

local git = require "moonlet.git"
local paths = require "moonlet.paths"

local find, lower, match, sub = string.find, string.lower, string.match, string.sub

local M = {}

-- Parts of a repository that is itself one skill; the rest of it is judged like any other file.
local OWN_DIRS = { templates = true, scripts = true, references = true, reference = true, assets = true,
  resources = true, examples = true, prompts = true }
local SHARED_DIRS = { templates = true, scripts = true, shared = true, common = true, lib = true, _shared = true,
  _common = true, ["skill-templates"] = true }
local INSTALLER_EXT = { sh = true, py = true, js = true, mjs = true, ts = true, ps1 = true, rb = true, [""] = true }
local INSTALLER_DIRS = { [""] = true, scripts = true, script = true, bin = true, tools = true }

local function dir_of(path) return match(path, "^(.*)/[^/]*$") or "" end

local function is_skill_file(path) return lower(match(path, "([^/]*)$")) == "skill.md" end

local function is_installer(path)
  local name = lower(match(path, "([^/]*)$"))
  local stem, ext = match(name, "^([^.]+)%.?([%w]*)$")
  if not stem or not INSTALLER_EXT[ext] or not INSTALLER_DIRS[lower(dir_of(path))] then return false end
  return find(stem, "^install") ~= nil or stem == "setup" and ext == "sh" or find(stem, "^sync[_-]?skills") ~= nil
    or find(stem, "^link[_-]?skills") ~= nil or stem == "bootstrap" or find(stem, "^setup[_-]skills") ~= nil
    or find(stem, "[_-]install$") ~= nil
end

-- Manifests that list the skills of a plugin.
local function is_listing(path)
  return find("/" .. path, "/.claude-plugin/", 1, true) ~= nil or path == "skills.json"
end

local function survey_roots(ctx, facts)
  local roots, order, gone = {}, {}, {}
  local function add(path)
    local root = dir_of(path)
    if roots[root] or paths.describe(path).fixture then return end
    roots[root] = root == "" and (match(ctx.repo, "([^/]+)/*$") or "skill") or match(root, "([^/]*)$")
    order[#order + 1] = root
  end
  for _, path in ipairs(facts.survey or {}) do
    if is_skill_file(path) then add(path) end
  end
  for _, file in ipairs(facts.files) do
    if is_skill_file(file.path) then
      add(file.path)
      if file.status == "deleted" and not file.untracked then gone[dir_of(file.path)] = true end
    end
    if file.old_path and is_skill_file(file.old_path) then
      add(file.old_path)
      if file.status == "renamed" then gone[dir_of(file.old_path)] = true end
    end
  end
  -- Two skills may have the same folder name in different places.
  local count = {}
  for _, root in ipairs(order) do count[roots[root]] = (count[roots[root]] or 0) + 1 end
  for _, root in ipairs(order) do
    if count[roots[root]] > 1 then roots[root] = root end
  end
  return roots, order, gone
end

local function root_of(path, roots)
  local dir = dir_of(path)
  while true do
    if roots[dir] then break end
    if dir == "" then return nil end
    dir = dir_of(dir)
  end
  if dir == "" and not is_skill_file(path) and not OWN_DIRS[match(path, "^([^/]+)/") or ""] then return nil end
  return dir
end

-- Folders that hold several skills side by side; the top of the repository is none of these.
local function collections(order)
  local parents = {}
  for _, root in ipairs(order) do
    local parent = root ~= "" and dir_of(root) or ""
    if parent ~= "" then parents[parent] = true end
  end
  return parents
end

-- The skills whose SKILL.md names a file.
local function mentioned_by(ctx, path, order, pages)
  local users = {}
  for i, root in ipairs(order) do
    if i > 64 then break end
    if pages[root] == nil then
      local page = root == "" and "SKILL.md" or root .. "/SKILL.md"
      pages[root] = ctx:read(page, { cap = 65536, missing = "nil" }) or false
    end
    local text = pages[root]
    -- A skill that has such a file of its own means that one.
    if text and find(text, path, 1, true) and not ctx:read(root .. "/" .. path, { cap = 1, missing = "nil" }) then
      users[#users + 1] = root
    end
  end
  return users
end

local function in_collection(path, parents)
  local dir = dir_of(path)
  while dir ~= "" do
    if parents[dir] then return true end
    dir = dir_of(dir)
  end
  return false
end

-- A product has an installer too; one that installs skills says so. Skills that are read in place need none.
local function installs_skills(ctx, path, order)
  local placed = true
  for _, root in ipairs(order) do placed = placed and sub(root, 1, 1) == "." end
  if placed then return false end
  if find(lower(path), "skill", 1, true) then return true end
  local text = ctx:read(path, { cap = 65536, missing = "nil" })
  return not text or find(lower(text), "skill", 1, true) ~= nil
end

-- The skills that share a file outside of every skill: "all", those that use it, or nil.
local function shared_by(ctx, path, order, parents, pages)
  if is_installer(path) and installs_skills(ctx, path, order) then return "all" end
  local d = paths.describe(path)
  if in_collection(path, parents) then
    -- A page about the collection is not installed.
    if d.kind == "docs" and parents[dir_of(path)] then return nil end
    return not d.test and "all" or nil
  end
  if not SHARED_DIRS[match(path, "^([^/]+)/") or ""] then return nil end
  local users = mentioned_by(ctx, path, order, pages)
  if #users > 1 then return "all" end
  return users[1] and users or nil
end

-- The skills that the changed lines of a listing name; all of them if it changed as a whole.
local function listed(file, order)
  local named = {}
  for _, root in ipairs(order) do
    for _, part in ipairs(file.parts) do
      for _, _, text in git.changed_lines(part) do
        local _, stop = find(text, root, 1, true)
        if root ~= "" and stop and not find(text, "^[%w_-]", stop + 1) then named[#named + 1] = root end
      end
    end
  end
  return #named > 0 and named or "all"
end

---@class precommit.Skills
---@field of table<string, string>     path of a changed file -> the skill's folder
---@field shared table<string, boolean> path of a changed file that skills share
---@field needed boolean
---@field names string[]               skills to install again, fit to be shown
---@field why string[]                 for people

--- The skills that a change touches, and those to install again.
---@param ctx table
---@param facts moonlet.facts.Git
---@return precommit.Skills
function M.find(ctx, facts)
  local roots, order, gone = survey_roots(ctx, facts)
  local result = { of = {}, shared = {}, needed = false, names = {}, why = {} }
  if #order == 0 then return result end
  local parents, changed, everything, looked, pages = collections(order), {}, nil, 0, {}
  local function touch(path, file)
    local root = root_of(path, roots)
    if root then
      result.of[path], changed[root] = root, true
      return
    end
    looked = looked + 1
    local shared = looked <= 500
      and (is_listing(path) and listed(file, order) or shared_by(ctx, path, order, parents, pages))
    if not shared then return end
    result.shared[path] = true
    if shared == "all" then
      everything = everything or path
    else
      for _, user in ipairs(shared) do changed[user] = true end
    end
  end
  for _, file in ipairs(facts.files) do
    touch(file.path, file)
    if file.old_path and file.status == "renamed" then touch(file.old_path, file) end
  end
  table.sort(order)
  for _, root in ipairs(order) do
    if changed[root] or (everything and not gone[root]) then
      result.needed = true
      result.names[#result.names + 1] = git.show_path(roots[root], 120)
      if gone[root] then
        result.why[#result.why + 1] = "the skill " .. git.show_path(roots[root], 120) .. " is gone: remove its copies"
      end
    end
  end
  if everything and result.needed then
    result.why[#result.why + 1] = "all skills: " .. git.show_path(everything, 120) .. " is a part that they share"
  end
  for _, root in ipairs(order) do
    if changed[root] and sub(root, 1, 1) == "." then
      result.why[#result.why + 1] = git.show_path(root, 120) .. " is read in place; only copies elsewhere are stale"
      break
    end
  end
  return result
end

return M
