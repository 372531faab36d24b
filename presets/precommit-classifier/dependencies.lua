--- Finds manifests and lock files that belong together, but of which only one changed.
local data = require "table"
local m = require "moonlet"
local paths = require "moonlet.paths"

local find, gmatch, lower = string.find, string.gmatch, string.lower
local match, sub = string.match, string.sub

local M = {}

local LOCKS, MANIFESTS = {}, {}
for _, pair in ipairs(data.pair) do
  MANIFESTS[pair.manifest[1]] = pair.locks
  for _, name in ipairs(pair.locks) do LOCKS[name] = pair.manifest[1] end
end

-- Reports whether a changed line of a manifest contains the version of a dependency.
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

-- Reports whether a lock file only updates versions, without a new download source.
-- `cargo update`, `npm update` and update bots make only such changes.
local function is_update(file)
  local moved, known, added = { ["+"] = false, ["-"] = false }, {}, {}
  for _, part in ipairs(file.parts) do
    for _, hunk in ipairs(part.hunks) do
      for _, line in ipairs(hunk.lines) do
        local mark = sub(line, 1, 1)
        if find(line, "%d%.%d") then moved[mark] = true end
        for source in gmatch(line, "[%w+]+://[%w.:-]+") do
          if mark == "+" then added[source] = true else known[source] = true end
        end
      end
    end
  end
  for source in pairs(added) do
    if not known[source] then return false end
  end
  return moved["+"] and moved["-"]
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
      or LOCKS[name] and not manifests[LOCKS[name]] and not is_update(file)
      and "lock file changed without its manifest"
    if why and not file.d.fixture then list[#list + 1] = { path = file.path, why = why } end
  end
  return list
end

return M
