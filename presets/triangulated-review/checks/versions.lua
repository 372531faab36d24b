--- Reports raised engine requirements and new major versions of dependencies.

local M = {}

M.checks = {
  { name = "engine-raised", severity = "medium", confidence = 0.9,
    help = "the least version of a language or engine was raised",
    fix = "Say so in the change log; it may call for a new major version." },
  { name = "dependency-raised", severity = "low", confidence = 0.9,
    help = "a dependency went to another major version",
    fix = "Read its change log for what it no longer does, and run the tests with it." },
}

local ENGINES = {
  { "^go%.mod$", "^go%s+([%d.]+)", "Go" },
  { "^pyproject%.toml$", "^requires%-python%s*=%s*[\"'][>=~^ ]*([%d.]+)", "Python" },
  { "^pyproject%.toml$", "^python%s*=%s*[\"'][>=~^ ]*([%d.]+)", "Python" },
  { "^setup%.py$", "python_requires%s*=%s*[\"'][>=~^ ]*([%d.]+)", "Python" },
  { "^setup%.cfg$", "python_requires%s*=%s*[>=~^ ]*([%d.]+)", "Python" },
  { "^package%.json$", "\"node\"%s*:%s*\"[>=~^ ]*([%d.]+)", "Node" },
  { "^Cargo%.toml$", "^rust%-version%s*=%s*\"([%d.]+)", "Rust" },
  { "^CMakeLists%.txt$", "^%s*cmake_minimum_required%s*%(%s*VERSION%s+([%d.]+)", "CMake" },
}

-- These patterns match a line with a dependency and its version, by manifest.
local DEPENDENCIES = {
  ["package.json"] = "^%s*\"(@?[%w._/-]+)\"%s*:%s*\"[%^~>=v]*(%d[%d.]*)[%w.+-]*\",?$",
  ["Cargo.toml"] = "^%s*([%w_-]+)%s*=.-\"[%^~=]*(%d[%d.]*)",
  ["go.mod"] = "^%s*r?e?q?u?i?r?e?%s*([%w.-]+%.%w+/%S+)%s+v(%d[%d.]*)",
  ["requirements.txt"] = "^%s*([%w_.-]+)%s*[=~>]=%s*(%d[%d.]*)",
  ["composer.json"] = "^%s*\"([%w_.-]+/[%w_.-]+)\"%s*:%s*\"[%^~>=v]*(%d[%d.]*)",
}
-- Manifests write these keys like dependencies, but they are settings.
local OTHER_KEYS = { version = true, node = true, npm = true, yarn = true, pnpm = true, bun = true,
  vscode = true, edition = true, resolver = true, lockfileVersion = true, ["rust-version"] = true }

local function higher(new, old)
  local left, right = {}, {}
  for part in new:gmatch "%d+" do left[#left + 1] = tonumber(part) end
  for part in old:gmatch "%d+" do right[#right + 1] = tonumber(part) end
  for i = 1, 2 do
    local a, b = left[i] or 0, right[i] or 0
    if a ~= b then return a > b end
  end
  return false
end

local function engines(file, report)
  for _, engine in ipairs(ENGINES) do
    local old
    for _, line in ipairs(file.d.name:find(engine[1]) and file.removed or {}) do
      old = old or line:match(engine[2])
    end
    for _, n in ipairs(old and file.added or {}) do
      local new = file.lines[n]:match(engine[2])
      if new and higher(new, old) then
        report("engine-raised", file, n,
          ("%s %s is needed now; it was %s. Users of older versions are left behind."):format(
            engine[3], new, old))
      end
    end
  end
end

-- In these manifests a minor version before 1.0 may be incompatible, so ^0.4 excludes 0.5.
local ZERO_BREAKS = { ["package.json"] = true, ["Cargo.toml"] = true }

-- Returns the part of a version that changes when compatibility breaks: 1 of 1.4, and 0.4 of 0.4.2.
local function major(version, file)
  return ZERO_BREAKS[file.d.name] and version:match "^0%.%d+" or version:match "^%d+"
end

local function dependencies(file, report)
  local shape, old = DEPENDENCIES[file.d.name], {}
  for _, line in ipairs(shape and file.removed or {}) do
    local name, version = line:match(shape)
    if name and not OTHER_KEYS[name] then old[name] = version end
  end
  local raised, first = {}, nil
  for _, n in ipairs(shape and file.added or {}) do
    local name, version = file.lines[n]:match(shape)
    local before = name and old[name]
    -- A package of type definitions follows the version of the package that it describes.
    if before and major(before, file) ~= major(version, file) and higher(version, before)
      and not name:find "^@types/" then
      raised[#raised + 1], first = ("%s from %s to %s"):format(name, before, version), first or n
    end
  end
  if first then
    report("dependency-raised", file, first,
      ("The new version need not be compatible with the old one: %s."):format(
      table.concat(raised, ", ", 1, math.min(#raised, 8))))
  end
end

---@param change review.Change
function M.look(change, report)
  for _, file in ipairs(change.files) do
    if not file.d.test and not file.example and not file.deleted then
      engines(file, report)
      dependencies(file, report)
    end
  end
end

return M
