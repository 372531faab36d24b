--- Manifests and lock files that should change together: one without the other means that the installed packages are
--- not the requested ones.

local paths = require "moonlet.paths"

local find, lower, match = string.find, string.lower, string.match

local M = {}

-- ecosystem -> names of manifests and of locks
local PAIRS = {
  node = { { "package.json" }, { "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lockb",
    "bun.lock" } },
  cargo = { { "Cargo.toml" }, { "Cargo.lock" } },
  python = { { "pyproject.toml" }, { "poetry.lock", "uv.lock", "pdm.lock" } },
  pipenv = { { "Pipfile" }, { "Pipfile.lock" } },
  ruby = { { "Gemfile" }, { "Gemfile.lock" } },
  composer = { { "composer.json" }, { "composer.lock" } },
  go = { { "go.mod" }, { "go.sum" } },
  mix = { { "mix.exs" }, { "mix.lock" } },
  dart = { { "pubspec.yaml" }, { "pubspec.lock" } },
  nix = { { "flake.nix" }, { "flake.lock" } },
  deno = { { "deno.json", "deno.jsonc" }, { "deno.lock" } },
  swift = { { "Package.swift" }, { "Package.resolved" } },
  pods = { { "Podfile" }, { "Podfile.lock" } },
}
local ORDER = { "node", "cargo", "python", "pipenv", "ruby", "composer", "go", "mix", "dart", "nix", "deno", "swift",
  "pods" }

local function set(list)
  local result = {}
  for _, name in ipairs(list) do result[name] = true end
  return result
end

-- name -> the ecosystem and which half of its pair it is
local KNOWN = {}
for _, kind in ipairs(ORDER) do
  for half = 1, 2 do
    for _, name in ipairs(PAIRS[kind][half]) do KNOWN[lower(name)] = { kind, half } end
  end
end

-- Keys of manifests whose values look like versions and name no dependency.
local OWN_KEYS = set { "version", "name", "description", "license", "edition", "rust-version", "node", "npm", "pnpm",
  "yarn", "engines", "packageManager", "main", "types", "homepage", "repository", "authors", "readme", "keywords",
  "python", "python_version", "requires-python", "target-version", "line-length", "minversion", "sdk", "port" }

-- True if a line of a manifest names a dependency. Sections are not seen in a diff, so it goes by form.
local LINES = {
  node = function(text)
    local key, value = match(text, '^%s*"([^"]+)"%s*:%s*"([^"]*)"')
    return key and not OWN_KEYS[key] and (find(value, "^[%^~<>=v]*%d") or value == "*" or value == "latest"
      or find(value, "^workspace:") or find(value, "^npm:") or find(value, "^git") or find(value, "^file:")
      or find(value, "^https?://") or find(value, "^github:")) ~= nil
  end,
  cargo = function(text)
    local key, value = match(text, "^%s*([%w_.-]+)%s*=%s*(.*)$")
    if not key or OWN_KEYS[key] then return false end
    return find(value, '^"[%^~<>=]*%d') ~= nil or find(value, "^{.*version") ~= nil or find(value, "^{.*git") ~= nil
      or find(value, "^{.*path") ~= nil or find(value, "^{.*workspace") ~= nil
  end,
  go = function(text, block)
    block = match(text, "^(%l+)%s") or block
    if block == "exclude" or block == "retract" then return false end
    return find(text, "%sv%d+%.%d") ~= nil or block == "require" or block == "replace"
  end,
  python = function(text)
    if find(text, "^%s*[\"'][%w_.%[%]-]+%s*[<>=!~].*[\"']") or find(text, "^%s*[\"']%a[%w_.-]+[\"'],?$") then
      return true
    end
    local key, value = match(text, "^%s*([%w_.-]+)%s*=%s*(.*)$")
    if not key or OWN_KEYS[key] then return false end
    return find(value, '^"[%^~<>=]+%s*%d') ~= nil or find(value, "^{.*version") ~= nil
  end,
  ruby = function(text) return find(text, "^%s*gem%s") ~= nil end,
  mix = function(text) return find(text, "^%s*{:%w+") ~= nil end,
  dart = function(text) return find(text, "^%s+[%w_]+:%s*[\"']?[%^<>=]?%d") ~= nil end,
  nix = function(text) return find(text, "url%s*=") ~= nil end,
  swift = function(text) return find(text, ".package(", 1, true) ~= nil end,
  pods = function(text) return find(text, "^%s*pod%s") ~= nil end,
}
LINES.composer, LINES.pipenv, LINES.deno = LINES.node, LINES.cargo, LINES.node

local function names_dependency(file, kind)
  local test = LINES[kind]
  for _, part in ipairs(file.parts) do
    if part.cut or (part.added > 0 and #part.hunks == 0) then return true end
    for _, hunk in ipairs(part.hunks) do
      -- The parenthesis of go.mod that a line stands in: git names the one that opens before the hunk.
      local block = match(hunk.section, "^(%l+)%s*%(")
      for _, line in ipairs(hunk.lines) do
        local mark, text = match(line, "^(.)(.*)$")
        block = match(text or "", "^(%l+)%s*%(") or not find(text or "", "^%)") and block
        if (mark == "+" or mark == "-") and test(text, block) then return true end
      end
    end
  end
  return false
end

local function above(dir, path)
  return dir == "" or path:sub(1, #dir + 1) == dir .. "/"
end

-- The folders with a lock of this kind, tracked or new.
local function lock_folders(facts, locks)
  local folders = {}
  local function add(path)
    local dir, name = paths.split(path)
    if locks[name] then folders[dir] = path end
  end
  for _, path in ipairs(facts.survey or {}) do add(path) end
  for _, file in ipairs(facts.files) do
    if file.status ~= "deleted" then add(file.path) end
  end
  return folders
end

local function nearest_lock(folders, path)
  local dir = paths.split(path)
  while true do
    if folders[dir] then return folders[dir] end
    if dir == "" then return nil end
    dir = match(dir, "^(.*)/[^/]*$") or ""
  end
end

--- Pairs of which only one half changed: { {path, why} }.
---@param facts moonlet.facts.Git
---@return table[]
function M.unpaired(facts)
  local found, by_kind = {}, {}
  for _, file in ipairs(facts.files) do
    local known = KNOWN[lower(file.d.name)]
    if known and not file.d.fixture and not find(file.path, "node_modules/", 1, true) then
      local kind, half = known[1], known[2]
      by_kind[kind] = by_kind[kind] or { {}, {} }
      table.insert(by_kind[kind][half], file)
    end
  end
  for _, kind in ipairs(ORDER) do
    local changed = by_kind[kind]
    if changed then
      local folders = lock_folders(facts, set(PAIRS[kind][2]))
      local locks = {}
      for _, lock in ipairs(changed[2]) do locks[lock.path] = true end
      for _, manifest in ipairs(changed[1]) do
        local lock = nearest_lock(folders, manifest.path)
        if lock and not locks[lock] and manifest.status ~= "deleted" and names_dependency(manifest, kind) then
          found[#found + 1] = { path = manifest.path, why = "dependencies changed without their lock file" }
        end
      end
      for _, lock in ipairs(changed[2]) do
        local dir, paired = paths.split(lock.path), false
        for _, manifest in ipairs(changed[1]) do paired = paired or above(dir, manifest.path) end
        if not paired then found[#found + 1] = { path = lock.path, why = "lock file changed without its manifest" } end
      end
    end
  end
  return found
end

return M
