--- Selects, from the files that an agent has changed, those that make programs start on the user's machine.
local startup_files = require "moonlet.engine.workspace.startup_files"

local M = {}

local function set_of(list)
  local set = {}
  for _, path in ipairs(list) do set[path] = true end
  return set
end

local folders, files, above = set_of(startup_files.folders), set_of(startup_files.files), {}
for _, list in ipairs { startup_files.folders, startup_files.files } do
  for _, path in ipairs(list) do
    local folder = path:match("^(.*)/[^/]+$")
    while folder do
      above[folder] = true
      folder = folder:match("^(.*)/[^/]+$")
    end
  end
end

local function names_of(path)
  local names = {}
  for name in path:lower():gmatch("[^/]+") do names[#names + 1] = name end
  return names
end

--- The number of the name at which the part of a path begins that makes it a startup file; nil if none does.
local function place_of(names)
  local last = names[#names] or ""
  for _, ending in ipairs(startup_files.endings) do
    if last:sub(-#ending) == ending then return #names end
  end
  for i = 1, #names do
    local rest = table.concat(names, "/", i)
    -- A link, or a file, in place of such a folder may lead to others.
    if files[rest] or above[rest] or folders[names[i]] then return i end
    if names[i + 1] and folders[names[i] .. "/" .. names[i + 1]] then return i end
  end
end

--- True if a file makes programs start, and no folder in `writes` names it.
---@param path string
---@param writes string[]?
---@return boolean
function M.is_one(path, writes)
  local names = names_of(path)
  local at = place_of(names)
  if not at then return false end
  local special = table.concat(names, "/", 1, at)
  for _, folder in ipairs(writes or {}) do
    local given = table.concat(names_of(folder), "/")
    local names_it = given == special or given:sub(1, #special + 1) == special .. "/"
    if names_it and (table.concat(names, "/") .. "/"):sub(1, #given + 1) == given .. "/" then return false end
  end
  return true
end

--- The startup files in a list.
---@param paths string[]
---@param writes string[]?
---@return string[]
function M.of(paths, writes)
  local found = {}
  for _, path in ipairs(paths) do
    if M.is_one(path, writes) then found[#found + 1] = path end
  end
  return found
end

return M
