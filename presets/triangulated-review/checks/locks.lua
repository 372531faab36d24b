--- Reports manifests and lock files that disagree about dependencies.
local m = require "moonlet"

local M = {}

M.checks = {
  { name = "manifest-without-lock", severity = "medium", confidence = 0.85,
    help = "dependencies changed in a manifest, and not in its lock file",
    fix = "Run the package manager and commit the lock file with the manifest." },
  { name = "lock-disagrees", severity = "medium", confidence = 0.9,
    help = "a lock file declares other dependencies than its manifest",
    fix = "Run the package manager and commit both files." },
}

-- Lists for each manifest its lock files, and patterns for its dependencies and headings.
local MANIFESTS = {
  ["package.json"] = { locks = { "package-lock.json", "npm-shrinkwrap.json", "yarn.lock",
      "pnpm-lock.yaml", "bun.lockb", "bun.lock" },
    line = "^%s*\"(@?[%w._/-]+)\"%s*:%s*\"[%^~<>=v*]*%d[%w.%-+*x |<>=]*\"",
    head = "^%s*\"(%w+)\"%s*:%s*{%s*$", section = "ependencies$" },
  ["Cargo.toml"] = { locks = { "Cargo.lock" }, line = "^%s*([%w_-]+)%s*=%s*[\"{]",
    head = "^%s*%[+([^%]]+)%]", section = "dependencies" },
  ["pyproject.toml"] = { locks = { "poetry.lock", "uv.lock", "pdm.lock" },
    line = "^%s*[\"']?([%w_.%-]+)[%[%]%w,]*[\"']?%s*[<>=~!@]",
    head = "^%s*%[?%[?([%w_.-]*dependencies)%f[%W]", section = "dependencies" },
  Pipfile = { locks = { "Pipfile.lock" }, line = "^%s*([%w_.-]+)%s*=%s*[\"{]",
    head = "^%s*%[([^%]]+)%]", section = "packages" },
  Gemfile = { locks = { "Gemfile.lock" }, line = "^%s*gem%s+[\"']([^\"']+)" },
  ["composer.json"] = { locks = { "composer.lock" },
    line = "^%s*\"([%w_.-]+/[%w_.-]+)\"%s*:%s*\"" },
  ["go.mod"] = { locks = { "go.sum" }, line = "^%s*r?e?q?u?i?r?e?%s*([%w.-]+%.%w+/%S+)%s+v%d",
    head = "^(%l+)%s*%(", section = "require" },
  ["pubspec.yaml"] = { locks = { "pubspec.lock" }, line = "^%s+([%w_]+):%s*%^?%d" },
  ["mix.exs"] = { locks = { "mix.lock" }, line = "^%s*{:([%w_]+),%s*\"" },
}

local NOT_VERSIONS = { version = true, node = true, npm = true, yarn = true, pnpm = true,
  bun = true }

-- Reports whether line n is in a section of dependencies.
-- If no known heading is above the line, returns true.
local function in_section(file, n, manifest)
  for i = manifest.head and n or 0, 1, -1 do
    local name = (file.lines[i] or ""):match(manifest.head)
    if name and i < n then return name:find(manifest.section) ~= nil and not name:find "^build" end
  end
  return true
end

local function without_end(line)
  return (line:gsub("%s+//.*$", ""):gsub("%s+#.*$", ""):gsub("%s*,?%s*$", ""))
end

-- Returns the first line that declares a new dependency or a changed version.
local function declaration(file, manifest)
  local before = {}
  for _, line in ipairs(file.removed) do before[without_end(line)] = true end
  for _, n in ipairs(file.added) do
    local line = file.lines[n]
    local name = line:match(manifest.line)
    -- A dependency on a package of this repository needs no entry in the lock file.
    local own = line:find "%f[%w]path%s*=" or line:find("workspace", 1, true)
    if name and not NOT_VERSIONS[name] and not own and not before[without_end(line)]
      and in_section(file, n, manifest) then
      return n
    end
  end
  return nil
end

local function join(dir, name) return dir == "" and name or dir .. "/" .. name end

-- Returns the nearest lock file at or above the folder of a manifest.
local function lock_for(change, dir, manifest)
  while true do
    for _, lock in ipairs(manifest.locks) do
      if change.tree[join(dir, lock)] then return join(dir, lock) end
    end
    if dir == "" then return nil end
    dir = dir:match "^(.*)/[^/]*$" or ""
  end
end

local function unlocked(change, report)
  local told = {}
  for _, file in ipairs(change.files) do
    local manifest = not file.deleted and not file.d.test and not file.example
      and MANIFESTS[file.d.name]
    local n = manifest and declaration(file, manifest)
    local lock = n and lock_for(change, file.d.dir, manifest)
    if lock and not change.by_path[lock] and not change.changed_paths[lock] and not told[lock] then
      told[lock] = true
      report("manifest-without-lock", file, n,
        ("A dependency changed here, and %s did not."):format(m.git.show_path(lock, 120)))
    end
  end
end

local KINDS = { "dependencies", "devDependencies", "optionalDependencies", "peerDependencies" }

local function object(text)
  local ok, value = pcall(m.json.decode, text or "")
  return ok and type(value) == "table" and value or nil
end

local function field(value, name)
  local found = type(value) == "table" and rawget(value, name)
  return type(found) == "table" and found or {}
end

-- Returns the name of the first dependency that package.json and package-lock.json declare
-- differently, and both versions. Returns nil if there is none.
local function npm_difference(manifest, lock)
  local root = rawget(field(lock, "packages"), "")
  if type(root) ~= "table" then return nil end
  for _, kind in ipairs(KINDS) do
    local declared, locked = field(manifest, kind), field(root, kind)
    for name, version in pairs(declared) do
      if rawget(locked, name) ~= version then return name, version, rawget(locked, name) end
    end
    for name, version in pairs(locked) do
      if rawget(declared, name) == nil then return name, nil, version end
    end
  end
  return nil
end

local function npm(change, report)
  local texts = change.facts.texts or {}
  for path, lock_file in pairs(change.by_path) do
    local dir = path:match "^(.*)package%-lock%.json$"
    local manifest = dir and object(texts[dir .. "package.json"] or change.more_texts[dir
      .. "package.json"])
    local lock = manifest and object(texts[path])
    local name, declared, locked = nil, nil, nil
    if lock then name, declared, locked = npm_difference(manifest, lock) end
    if name and not lock_file.d.test then
      report("lock-disagrees", lock_file, nil,
        ("package.json declares %s %s, and this lock file %s."):format(
        name, declared and tostring(declared) or "not", locked and tostring(locked) or "does not"))
    end
  end
end

-- Reports modules of go.mod whose required version is missing in go.sum.
local function go(change, report)
  local texts = change.facts.texts or {}
  for path, file in pairs(change.by_path) do
    local sum = file.d.name == "go.mod" and texts[join(file.d.dir, "go.sum")]
    for _, n in ipairs(sum and file.added or {}) do
      local line = file.lines[n]
      local name, version = line:match "^%s*r?e?q?u?i?r?e?%s*([%w.-]+%.%w+/%S+)%s+(v%S+)"
      if name and not sum:find(name .. " " .. version, 1, true) and in_section(file, n,
        MANIFESTS["go.mod"])
        and not (texts[path] or ""):find("replace%s+" .. name:gsub("%p", "%%%0")) then
        report("lock-disagrees", file, n, ("go.sum does not hold %s %s."):format(name, version))
      end
    end
  end
end

-- Adds two fields to the change: the set of all changed paths, and the texts of each unchanged
-- package.json whose lock file changed.
local function complete(change, ctx)
  change.changed_paths, change.more_texts = {}, {}
  local wanted = {}
  for _, file in ipairs(change.facts.files) do
    change.changed_paths[file.path] = true
    local dir = file.path:match "^(.*)package%-lock%.json$"
    local manifest = dir and dir .. "package.json"
    if manifest and not change.by_path[manifest] and change.tree[manifest] then
      wanted[#wanted + 1] = manifest
    end
  end
  if #wanted > 0 then change.more_texts = require("gather").texts(ctx, change.facts, wanted) end
end

---@param change review.Change
function M.look(change, report, ctx)
  if change.whole or not change.tree then return end
  complete(change, ctx)
  unlocked(change, report)
  npm(change, report)
  go(change, report)
end

return M
