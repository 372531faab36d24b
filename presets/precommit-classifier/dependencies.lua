--- Finds manifests and lock files of which only one changed, although they belong together.
local data = require "table"
local m = require "moonlet"
local paths = require "moonlet.paths"

local find, lower, match = string.find, string.lower, string.match

local M = {}

local LOCKS, MANIFESTS = {}, {}
for _, pair in ipairs(data.pair) do
  MANIFESTS[pair.manifest[1]] = pair.locks
  for _, name in ipairs(pair.locks) do LOCKS[name] = pair.manifest[1] end
end

-- Returns true if a changed line of a manifest contains the version of a dependency.
local function names_dependency(file)
  for _, part in ipairs(file.parts) do
    for _, _, text in m.git.changed_lines(part) do
      local key = match(lower(text), "^%s*[\"']?([%w_.@/-]+)")
      if find(text, "%d%.%d") and not (key and data.own[1].keys[key])
        and (file.d.name ~= "go.mod" or not find(text, "v0%.%d+%.0$")) then
        return true
      end
    end
  end
  return false
end

-- Returns the nearest lock file at or above a manifest, whether tracked or new.
local function lock_of(path, locks, there)
  local dir = paths.split(path)
  while dir do
    for _, name in ipairs(locks) do
      local at = dir == "" and name or dir .. "/" .. name
      if there[at] then return at end
    end
    dir = dir ~= "" and (match(dir, "^(.*)/") or "") or nil
  end
end

--- Returns the manifests and lock files that changed without their counterpart, as {path, why}.
function M.unpaired(facts, there)
  local list, changed, manifests = {}, {}, {}
  for _, file in ipairs(facts.files) do
    changed[file.path] = true
    if MANIFESTS[file.d.name] then manifests[file.d.name] = true end
  end
  for _, file in ipairs(facts.files) do
    local name = file.d.name
    local lock = MANIFESTS[name] and lock_of(file.path, MANIFESTS[name], there)
    local why = lock and not changed[lock] and names_dependency(file)
      and "dependencies changed without their lock file"
      or LOCKS[name] and not manifests[LOCKS[name]] and "lock file changed without its manifest"
    if why and not file.d.fixture then list[#list + 1] = { path = file.path, why = why } end
  end
  return list
end

return M
