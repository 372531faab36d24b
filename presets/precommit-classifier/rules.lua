--- Rules about a path's name: the care that a change to it needs. Each rule returns a short reason or nothing.
--- Documentation is never caught by a name: a page about authentication is a page.

local rules_data = require "rules_data"
local paths = require "moonlet.paths"

local find, lower, match, sub = string.find, string.lower, string.match, string.sub

local M = rules_data.m

local function has_dir(path, name) return find("/" .. lower(path), "/" .. name .. "/", 1, true) ~= nil end

-- True if a folder is or lies in one of several; few folders are asked about for many files.
local function in_any(d, list)
  local known = list.known
  if known == nil or list.count > 2000 then
    known, list.count = {}, 0
    list.known = known
  end
  if known[d.dir] == nil then
    list.count = list.count + 1
    known[d.dir] = false
    for i = 1, #list do
      if has_dir(d.dir .. "/", list[i]) then
        known[d.dir] = true
        break
      end
    end
  end
  return known[d.dir]
end

local CI_NAMES = rules_data.ci_names
local GITHUB_NAMES = rules_data.github_names
local CI_DIRS = rules_data.ci_dirs
local CI_PATHS = rules_data.ci_paths
local RELEASE = rules_data.release
local SCRIPT_DIRS = rules_data.script_dirs

local function ci(d)
  if CI_NAMES[lower(d.name)] then return "CI or release workflow" end
  if in_any(d, CI_DIRS) then return "CI or release workflow" end
  local low = lower(d.path)
  if GITHUB_NAMES[lower(d.name)] and sub(low, 1, 8) == ".github/" then return "CI or release workflow" end
  for i = 1, #CI_PATHS do
    if find(low, CI_PATHS[i]) then return "CI or release workflow" end
  end
  local at_script = d.dir == "" or SCRIPT_DIRS[lower(match(d.dir, "([^/]*)$"))] or d.language == "shell"
  if d.kind == "code" and at_script and not d.test then
    local words = paths.words(d.stem)
    for word in pairs(words) do
      if RELEASE[word] then return "script that releases or deploys" end
    end
  end
end

local INFRA_NAMES = rules_data.infra_names
local INFRA_DIRS = rules_data.infra_dirs
local INFRA_EXT = rules_data.infra_ext

local function infrastructure(d)
  local low = lower(d.name)
  if d.language == "docker" or find(low, "^docker%-compose") or INFRA_NAMES[low] or INFRA_EXT[d.ext] then
    return "infrastructure or container"
  end
  if (d.kind == "config" or d.language == "template" or d.language == "shell") and in_any(d, INFRA_DIRS) then
    return "infrastructure or container"
  end
end

local GIT_HOOKS = rules_data.git_hooks

local HOOK_DIRS = rules_data.hook_dirs
local HOOK_NAMES = rules_data.hook_names
local TOOL_DIRS = rules_data.tool_dirs
local TOOL_NAMES = rules_data.tool_names

local function hooks(d)
  local low = lower(d.name)
  if HOOK_NAMES[low] or in_any(d, HOOK_DIRS) or (GIT_HOOKS[low] and has_dir(d.path, "hooks")) then
    return "hook that runs on its own"
  end
  local home = TOOL_NAMES[low]
  if home == "" or (home and in_any(d, home)) or in_any(d, TOOL_DIRS) then
    return "what tools and agents may run on their own"
  end
end

local function license(d)
  local low = lower(d.name)
  if find(lower(d.path), "^licenses/") then return "license" end
  local stem = match(low, "^(%l+)")
  if (stem == "license" or stem == "licence" or stem == "copying" or stem == "unlicense" or stem == "patents")
    and (low == stem or d.kind == "docs" or (d.kind ~= "code" and d.kind ~= "config" and find(low, "^%l+[-.]"))) then
    return "license"
  end
end

local AUTH = rules_data.auth
local LOCALES = rules_data.locales
local NO_LOGIC = rules_data.no_logic

local AUTH_NAME = rules_data.auth_name
local ACCESS_NAMES = rules_data.access_names
local ACCESS_DIRS = rules_data.access_dirs

local function auth(d)
  local low = lower(d.name)
  if low == "codeowners" then return "who must review" end
  if ACCESS_NAMES[low] or in_any(d, ACCESS_DIRS) or d.ext == "rego" then
    return "authentication, permissions or cryptography"
  end
  if (d.kind ~= "code" and d.kind ~= "config") or d.generated or NO_LOGIC[d.language or ""] then return nil end
  if in_any(d, LOCALES) then return nil end
  local words = paths.words_of(d)
  for word in pairs(words) do
    if AUTH[word] then return "authentication, permissions or cryptography" end
  end
  for word in pairs(paths.words(match(d.name, "^(.*)%.[^.]*$") or d.name)) do
    if AUTH_NAME[word] then return "authentication, permissions or cryptography" end
  end
  if words.access and words.control then return "authentication, permissions or cryptography" end
end

local MIGRATION_WORDS = rules_data.migration_words
local CHANGELOG_EXT = rules_data.changelog_ext
local SCHEMA_NAMES = rules_data.schema_names

local function migration(d)
  local low = lower(d.name)
  if SCHEMA_NAMES[low] or d.language == "prisma" or find(low, "^v%d[%d_.]*__.*%.sql$") or d.ext == "ddl" then
    return "database schema or migration"
  end
  if (d.kind == "code" or d.kind == "config") and CHANGELOG_EXT[d.ext] then
    local path = "/" .. lower(d.path)
    if find(path, "[/._-]db[/._-][^/]*changelog") or find(path, "/database/[^/]*changelog")
      or find(path, "/db/[^/]*changelogs?/") or find(path, "/changelogs?/db[/._-]") then
      return "database schema or migration"
    end
  end
  if d.kind == "code" or d.kind == "config" then
    local words = paths.words_of(d)
    for word in pairs(words) do
      if MIGRATION_WORDS[word] then return "database schema or migration" end
    end
  end
end

local SOURCES = rules_data.sources

local SOURCE_DIRS = rules_data.source_dirs

local function sources(d)
  local low = lower(d.name)
  if SOURCES[low] or in_any(d, SOURCE_DIRS) then
    return "where dependencies come from"
  end
end

--- Instructions that agents read, beside skills.
---@param path string
---@return boolean
function M.agent_text(path)
  local low = lower(path)
  return find(low, "^%.claude/commands/") ~= nil or find(low, "^%.claude/agents/") ~= nil
    or find(low, "^%.codex/prompts/") ~= nil or find(low, "^%.gemini/commands/") ~= nil
    or find(low, "^%.cursor/rules/") ~= nil or find(low, "^%.opencode/") ~= nil
    or find(low, "^%.github/prompts/") ~= nil
end

--- The reasons that a path's name alone gives for the Risk Path.
---@param d moonlet.paths.Description
---@return string[]
function M.of_name(d)
  local reasons = {}
  local function add(reason)
    if reason then reasons[#reasons + 1] = reason end
  end
  add(license(d))
  if d.kind == "docs" or d.kind == "asset" or M.agent_text(d.path) then return reasons end
  add(ci(d))
  add(hooks(d))
  if d.test or d.fixture then return reasons end
  add(sources(d))
  add(infrastructure(d))
  if #reasons == 0 then add(auth(d)) end
  if #reasons == 0 then add(migration(d)) end
  return reasons
end

local SIGNALS = rules_data.signals

local function is_comment(text)
  return find(text, "^%s*[#*]") or find(text, "^%s*//") or find(text, "^%s*%-%-")
end

--- True if a changed line decides about access, in a file whose name does not say so.
---@param text string
---@return boolean
function M.access_line(text)
  if #text > 2000 then text = sub(text, 1, 2000) end
  local low = lower(text)
  for i = 1, #SIGNALS do
    if find(low, SIGNALS[i], 1, true) then return not is_comment(text) end
  end
  return false
end

--- True if a changed line of SQL changes a schema or rewrites data.
---@param text string
---@return boolean
function M.schema_line(text)
  local low = lower(match(text, "^%s*(.-)$") or "")
  return find(low, "^create ") ~= nil or find(low, "^alter ") ~= nil or find(low, "^drop ") ~= nil
    or find(low, "^truncate ") ~= nil or find(low, "^rename ") ~= nil or find(low, "^delete from ") ~= nil
    or find(low, "^update ") ~= nil or find(low, "^grant ") ~= nil or find(low, "^revoke ") ~= nil
end

--- True if text opens or is a part of a Liquibase changelog, which rewrites databases.
---@param text string
---@return boolean
function M.changelog_line(text)
  local low = lower(match(sub(text, 1, 400), "^%s*(.-)$"))
  return find(low, "<databasechangelog", 1, true) ~= nil or find(low, '^[{%s]*"?databasechangelog"?%s*:') ~= nil
    or find(low, "^<changeset%s") ~= nil or find(low, '^[-%s{]*"?changeset"?%s*:') ~= nil
    or find(low, "^%-%-%s*liquibase formatted") ~= nil or find(low, "^%-%-%s*changeset ") ~= nil
end

--- True if a changed line of package.json runs something when packages are installed.
---@param text string
---@return boolean
function M.install_script(text)
  return find(text, '^%s*"p?r?e?p?o?s?t?install"%s*:') ~= nil or find(text, '^%s*"prepare"%s*:') ~= nil
end

return M
