--- Finds skills, which are folders with a SKILL.md.
--- An installed copy is stale once a file of its skill, or a shared file, changes.
local m = require "moonlet"
local paths = require "moonlet.paths"
local set = require("moonlet.text").set

local find, lower, match = string.find, string.lower, string.match

local M = {}

-- Folders with these names belong to the skill if the repository itself is one skill.
local OWN_DIRS = set "templates scripts references reference assets resources examples prompts"
local INSTALLER_DIRS = set "scripts script bin tools"

local function dir_of(path) return match(path, "^(.*)/[^/]*$") or "" end

local function is_skill_file(path) return lower(match(path, "([^/]*)$")) == "skill.md" end

-- Returns the folders of skills by their names. `gone` lists the skills that the change removes.
local function survey(ctx, facts)
  local names, order, gone, count = {}, {}, {}, {}
  local function add(path)
    local root = dir_of(path)
    if not is_skill_file(path) or names[root] or paths.describe(path).fixture then return end
    names[root] = match(root == "" and ctx.repo or root, "([^/]+)/*$") or "skill"
    order[#order + 1] = root
    count[names[root]] = (count[names[root]] or 0) + 1
  end
  for _, path in ipairs(facts.survey or {}) do add(path) end
  for _, file in ipairs(facts.files) do
    add(file.path)
    if file.status == "deleted" and is_skill_file(file.path) then gone[dir_of(file.path)] = true end
    if file.old_path and is_skill_file(file.old_path) then
      add(file.old_path)
      gone[dir_of(file.old_path)] = file.status == "renamed" or nil
    end
  end
  -- If several skills have the same name, name each after its folder.
  for _, root in ipairs(order) do
    if count[names[root]] > 1 then names[root] = root end
  end
  table.sort(order)
  return names, order, gone
end

local function root_of(path, names)
  local dir = dir_of(path)
  while not names[dir] do
    if dir == "" then return nil end
    dir = dir_of(dir)
  end
  local own = dir ~= "" or is_skill_file(path) or OWN_DIRS[match(path, "^([^/]+)/") or ""]
  return own and dir or nil
end

-- Reports whether a file installs skills. Many products have an installer, so its path or its text
-- must mention skills.
local function installs_skills(ctx, path)
  local stem = lower(match(path, "([^/.]*)[^/]*$"))
  if dir_of(path) ~= "" and not INSTALLER_DIRS[dir_of(path)] then return false end
  if not find(stem, "^install") and stem ~= "setup" and not find(stem, "skills$") then
    return false
  end
  local text = ctx:read(path, { cap = 65536, missing = "nil" }) or "skill"
  return find(lower(path .. text), "skill", 1, true) ~= nil
end

-- Returns the skills that use a file outside of all skills, or nil if none does.
local function users_of(ctx, path, order)
  if installs_skills(ctx, path) or find(path, ".claude-plugin/", 1, true) then return order end
  local d = paths.describe(path)
  for _, root in ipairs(order) do
    local parent = root ~= "" and dir_of(root) or ""
    if parent ~= "" and path:sub(1, #parent + 1) == parent .. "/" then
      -- The tests and the documentation of a collection of skills are not installed.
      return not d.test and not (d.kind == "docs" and d.dir == parent) and order or nil
    end
  end
end

--- Finds the changed files of single skills (field `of`), the changed files that several skills use
--- (`shared`), and the names of the skills to reinstall.
---@return {of: table, shared: table, needed: boolean, names: string[], why: string[]}
function M.find(ctx, facts)
  local names, order, gone = survey(ctx, facts)
  local result = { of = {}, shared = {}, needed = false, names = {}, why = {} }
  local changed = {}
  local function touch(path)
    local root = root_of(path, names)
    if root then
      result.of[path], changed[root] = true, true
      return
    end
    local users = #order > 0 and users_of(ctx, path, order)
    for _, user in ipairs(users or {}) do changed[user] = changed[user] or not gone[user] or nil end
    if users then
      result.shared[path] = true
      result.why[#result.why + 1] = m.git.show_path(path, 120) .. " is a part that they share"
    end
  end
  for _, file in ipairs(facts.files) do
    touch(file.path)
    if file.status == "renamed" then touch(file.old_path) end
  end
  for _, root in ipairs(order) do
    if changed[root] then
      local name = m.git.show_path(names[root], 120)
      result.needed, result.names[#result.names + 1] = true, name
      if gone[root] then
        result.why[#result.why + 1] = "the skill " .. name .. " is gone: remove its copies"
      end
    end
  end
  return result
end

return M
