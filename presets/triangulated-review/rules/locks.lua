--- Rules about files that belong together: manifests that declare dependencies, and their lock files.

local git = require "moonlet.git"
local shape = require "moonlet.text"

local find, format, gsub, lower, match = string.find, string.format, string.gsub, string.lower, string.match

local M = {}

M.rules = {
  ["manifest-without-lock"] = { lenses = { "risks", "practicality", "consistency", "correctness" },
    severity = "medium", confidence = 0.85, fix = "Run the package manager and commit the lock file with it." },
  ["lock-without-manifest"] = { lenses = { "risks", "practicality", "consistency", "correctness" }, severity = "low",
    confidence = 0.7, fix = "Commit the manifest with it, or leave the lock file out." },
}

-- Manifests: their lock files, the shape of a line that declares a dependency, and the sections for such lines.
local MANIFESTS = {
  ["package.json"] = {
    locks = { "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lockb", "bun.lock" },
    line = "^%s*\"@?[%w._/-]+\"%s*:%s*\"([%^~<>=v*]*%d[%w.%-+*x |<>=]*)\"",
    sections = shape.set "dependencies devdependencies peerdependencies optionaldependencies",
  },
  ["cargo.toml"] = { locks = { "Cargo.lock" }, line = "^%s*[%w_-]+%s*=%s*[\"{]", toml = "dependencies" },
  ["pyproject.toml"] = { locks = { "poetry.lock", "uv.lock", "pdm.lock" },
    line = "^%s*[\"'][%w_.%-]+[%[%]%w,]*%s*[<>=~!@]", toml = "dependencies" },
  ["pipfile"] = { locks = { "Pipfile.lock" }, line = "^%s*[%w_.-]+%s*=%s*[\"{]", toml = "packages" },
  ["gemfile"] = { locks = { "Gemfile.lock" }, line = "^%s*gem%s+[\"']" },
  ["composer.json"] = { locks = { "composer.lock" }, line = "^%s*\"[%w_.-]+/[%w_.-]+\"%s*:%s*\"" },
  ["go.mod"] = { locks = { "go.sum" }, line = "^%s*r?e?q?u?i?r?e?%s*[%w.-]+%.%w+/%S+%s+v%d", blocks = true },
  ["pubspec.yaml"] = { locks = { "pubspec.lock" }, line = "^%s+[%w_]+:%s*%^?%d" },
  ["mix.exs"] = { locks = { "mix.lock" }, line = "^%s*{:[%w_]+,%s*\"" },
}

-- Spellings of manifests' names for people.
local WRITTEN = { ["cargo.toml"] = "Cargo.toml", pipfile = "Pipfile", gemfile = "Gemfile" }

-- Other causes of a changed lock file, as shapes of names: further places to declare, and the version of the project.
local ALSO = {
  gemfile = { "%.gemspec$", "%.gemfile$", "^version%.rb$" }, ["go.mod"] = { "^go%.work$" },
  ["package.json"] = { "^pnpm%-workspace%.ya?ml$", "^%.yarnrc", "^lerna%.json$", "^%.npmrc$" },
  ["pyproject.toml"] = { "^setup%.py$", "^setup%.cfg$", "^requirements" }, ["cargo.toml"] = {}, pipfile = {},
}

-- The name of the manifest by that of its lock file, in lower case.
local MANIFEST_OF = {}
for name, manifest in pairs(MANIFESTS) do
  for _, lock in ipairs(manifest.locks) do MANIFEST_OF[lower(lock)] = name end
end

-- Keys that look as if they named a dependency and do not.
local NOT_VERSIONS = shape.set "version node npm yarn pnpm packageManager vscode $schema target lib bun"

-- Manifests --------------------------------------------------------------------------------------

local function json_section(view, n)
  for i = n - 1, math.max(1, n - 400), -1 do
    local line = view.lines[i]
    local name = line and match(line.text, "^%s*\"([%w]+)\"%s*:%s*{%s*$")
    if name or not line then return name and lower(name) end
  end
  return nil
end

local function toml_section(view, n)
  for i = n, math.max(1, n - 400), -1 do
    local line = view.lines[i]
    if not line then return nil end
    local name = match(line.text, "^%s*%[+([^%]]+)%]")
    if name then return lower(name) end
    if find(line.text, "^%s*[%w_.-]*dependencies%s*=%s*%[") then return "dependencies" end
    if find(line.text, "^%s*[%w_-]+%s*=%s*%[%s*$") and find(view.path, "pyproject") then return lower(line.text) end
  end
  return nil
end

-- A declaration without the comma or the comment at its end.
local function without_end(text) return (gsub(gsub(gsub(text, "%s+//.*$", ""), "%s+#.*$", ""), "%s*,?%s*$", "")) end

-- True if only the comma or the comment at the end of a line changed.
local function only_end(view, text)
  local bare = without_end(text)
  for _, line in ipairs(view.removed) do
    if without_end(line.text) == bare then return true end
  end
  return false
end

-- The word before the parenthesis that a line of go.mod stands in, such as require, exclude or retract.
local function block(view, n)
  for i = n - 1, 1, -1 do
    local text = view.lines[i] and view.lines[i].text
    if not text or find(text, "^%)") then return nil end
    local word = match(text, "^(%l+)%s*%(")
    if word then return word end
  end
end

local function in_section(view, n, manifest)
  if manifest.blocks then
    local word = block(view, n)
    return word ~= "exclude" and word ~= "retract"
  end
  if manifest.sections then return manifest.sections[json_section(view, n) or ""] end
  if not manifest.toml then return true end
  local name = toml_section(view, n)
  return name and find(name, manifest.toml) and not find(name, "^%[?build")
end

-- The first added line that declares a dependency.
local function declaration(view, manifest)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    local key = match(line.text, "^%s*\"([^\"]+)\"")
    local names = find(line.text, manifest.line) and not NOT_VERSIONS[key or ""] and not line.moved
    -- A package of the same repository is not locked.
    local inside = find(line.text, "%f[%w]path%s*=") or find(line.text, "workspace", 1, true)
    if names and not inside and not only_end(view, line.text) and in_section(view, n, manifest) then
      return n
    end
  end
  return nil
end

local function join(dir, name) return dir == "" and name or dir .. "/" .. name end

-- The lock file that is kept for the manifests of a folder, there or above it.
local function lock_for(change, dir, manifest)
  while true do
    for _, lock in ipairs(manifest.locks) do
      local path = join(dir, lock)
      if change.tree and change.tree[path] then return path end
    end
    if dir == "" then return nil end
    dir = match(dir, "^(.*)/[^/]*$") or ""
  end
end

-- The declarations that a lock file should have followed: by its path, the first of them and the places of the
-- others.
local function unlocked(change, changed)
  local list, by_lock = {}, {}
  for _, view in ipairs(change.views) do
    local manifest = not view.test and not view.example and view.status ~= "deleted" and MANIFESTS[lower(view.d.name)]
    local n = manifest and declaration(view, manifest)
    local lock = n and lock_for(change, view.d.dir, manifest)
    if lock and not changed[lock] then
      if not by_lock[lock] then
        by_lock[lock] = { lock = lock, view = view, n = n, files = {} }
        list[#list + 1] = by_lock[lock]
      end
      local files = by_lock[lock].files
      files[#files + 1] = git.show_path(view.path, 120)
    end
  end
  return list
end

local function check_manifests(change, changed, report)
  for _, item in ipairs(unlocked(change, changed)) do
    local more = #item.files > 1
    report("manifest-without-lock", item.view, item.n,
      format("A dependency changed %s, and %s did not.", more and format("in %d manifests", #item.files) or "here",
        git.show_path(item.lock, 120)),
      { evidence = more and table.concat(item.files, "\n", 1, math.min(#item.files, 10)) or nil })
  end
end

-- Lock files -------------------------------------------------------------------------------------

-- The numbers of the lines between the first line of one shape and the next of another.
local function between(view, first, last)
  local from
  for n = 1, view.count or 0 do
    local text = view.lines[n].text
    if not from and find(text, first) then
      from = n
    elseif from and find(text, last) then
      return from, n
    end
  end
  return from, view.count
end

local function added_within(view, from, to, pattern)
  for _, n in ipairs(from and view.added or {}) do
    local text = view.lines[n].text
    if n > from and n < to and find(text, pattern) and not only_end(view, text) then return n end
  end
  return nil
end

local function added_anywhere(view, pattern) return added_within(view, 0, math.huge, pattern) end

-- True if a dependency was only listed in another version before.
local function other_version(view, name)
  for _, line in ipairs(view.removed) do
    if match(line.text, "^ \"([%w_-]+)") == name then return true end
  end
  return false
end

-- A package of Cargo.lock without a source is one of this repository.
local function cargo_member(view)
  for _, n in ipairs(view.added) do
    local name = match(view.lines[n].text, "^ \"([%w_-]+)")
    if name and not other_version(view, name) then
      local from, own = n, true
      while from > 1 and view.lines[from - 1] and view.lines[from].text ~= "[[package]]" do
        from = from - 1
        if find(view.lines[from].text, "^source%s*=") then own = false end
      end
      if own then return n end
    end
  end
  return nil
end

-- The line of a lock file that repeats a changed declaration of the manifest.
local REPEATS = {
  ["package-lock.json"] = function(view)
    local from, to = between(view, "^    \"\": {", "^    }")
    return added_within(view, from, to, "^        \"[^\"]+\": \"")
  end,
  ["cargo.lock"] = cargo_member,
  ["poetry.lock"] = function(view) return added_anywhere(view, "^content%-hash%s*=") end,
  ["composer.lock"] = function(view) return added_anywhere(view, "^%s*\"content%-hash\"") end,
  ["gemfile.lock"] = function(view)
    local from, to = between(view, "^DEPENDENCIES", "^%u")
    return added_within(view, from, to, "^  [%w_-]")
  end,
  ["pnpm-lock.yaml"] = function(view) return added_anywhere(view, "^%s+specifier:%s") end,
  ["uv.lock"] = function(view)
    local from, to = between(view, "^requires%-dist%s*=", "^%]")
    return added_within(view, from, to, "name%s*=")
  end,
}

local UPDATES = { "dependenc", "deps", "lock", "bump", "upgrade", "audit" }

-- True if the commits say that they update locked packages.
local function announced(change)
  for _, subject in ipairs(change.facts.subjects or {}) do
    if shape.word(subject, UPDATES) then return true end
  end
  return false
end

local function others_changed(change, lock)
  for _, view in ipairs(change.views) do
    if view ~= lock and view.d.kind == "code" then return true end
  end
  return false
end

-- True if the change holds the manifest, or something else that the lock file follows.
local function declared_elsewhere(names, manifest)
  if names[manifest] then return true end
  for name in pairs(names) do
    if shape.any(name, ALSO[manifest] or {}) then return true end
  end
  return false
end

local function check_lock(view, change, names, report)
  local lock = lower(view.d.name)
  local manifest = MANIFEST_OF[lock]
  if not manifest or view.status ~= "modified" or declared_elsewhere(names, manifest) then return end
  local repeats = REPEATS[lock]
  manifest = WRITTEN[manifest] or manifest
  local n = repeats and view.whole and repeats(view)
  if n then
    report("lock-without-manifest", view, n, format("The lock file says that %s declares this, and no %s changed.",
      manifest, manifest), { severity = "medium", confidence = 0.85 })
  elseif announced(change) then
    return
  elseif others_changed(change, view) then
    report("lock-without-manifest", view, nil,
      format("The lock file changed among other files, and no %s did.", manifest))
  else
    report("lock-without-manifest", view, nil, format("The lock file changed, and no %s did.", manifest),
      { question = "who updates locked versions within their ranges does just that" })
  end
end

function M.change(change, report)
  if change.whole_files then return end
  local changed, names = {}, {}
  for _, view in ipairs(change.views) do
    changed[view.path] = true
    names[lower(view.d.name)] = true
  end
  check_manifests(change, changed, report)
  for _, view in ipairs(change.views) do
    if view.d.kind == "lock" and not view.test and not view.example then check_lock(view, change, names, report) end
  end
end

return M
