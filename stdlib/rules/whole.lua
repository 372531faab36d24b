--- Rules about a change as a whole: files that belong together, files that do not belong there at all.

local paths = require "moonlet.paths"
local git = require "moonlet.git"
local source = require "moonlet.rules.source"
local V = require "moonlet.rules.view"

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub

local M = {}

M.rules = {
  ["manifest-without-lock"] = { lenses = { "risks", "practicality", "consistency", "correctness" }, severity = "medium", confidence = 0.85,
    fix = "Run the package manager and commit the lock file with it." },
  ["lock-without-manifest"] = { lenses = { "risks", "practicality", "consistency" }, severity = "low", confidence = 0.7,
    fix = "Commit the manifest with it, or leave the lock file out." },
  ["code-without-tests"] = { lenses = { "tests", "risks" }, severity = "low", confidence = 0.7,
    fix = "Add a test that fails without this change." },
  ["binary-added"] = { lenses = { "practicality", "security", "risks" }, severity = "medium", confidence = 0.8,
    fix = "Build it from source, or keep it outside of the repository." },
  ["large-file"] = { lenses = { "practicality", "performance" }, severity = "low", confidence = 0.8,
    fix = "Keep it outside of the repository, or in large-file storage." },
  ["stray-file"] = { lenses = { "consistency", "practicality" }, severity = "low", confidence = 0.95,
    fix = "Take it out and add it to .gitignore." },
  ["odd-mode"] = { lenses = { "consistency", "security" }, severity = "low", confidence = 0.9,
    fix = "Take the executable bit away." },
  ["too-large"] = { lenses = { "practicality", "risks" }, severity = "info", confidence = 0.8,
    fix = "Split it into changes that can be judged one by one." },
}

-- Manifest, its lock files, and how a line that declares a dependency looks.
local MANIFESTS = {
  ["package.json"] = { locks = { "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lockb", "bun.lock" },
    line = "^%s*\"@?[%w._/-]+\"%s*:%s*\"([%^~<>=v*]*%d[%w.%-+*x |<>=]*)\"",
    section = { "dependencies", "devdependencies", "peerdependencies", "optionaldependencies" } },
  ["cargo.toml"] = { locks = { "Cargo.lock" }, line = "^%s*[%w_-]+%s*=%s*[\"{]", toml = "dependencies" },
  ["pyproject.toml"] = { locks = { "poetry.lock", "uv.lock", "pdm.lock" }, line = "^%s*[\"'][%w_.%-]+[%[%]%w,]*%s*[<>=~!@]", toml = "dependencies" },
  ["pipfile"] = { locks = { "Pipfile.lock" }, line = "^%s*[%w_.-]+%s*=%s*[\"{]", toml = "packages" },
  ["gemfile"] = { locks = { "Gemfile.lock" }, line = "^%s*gem%s+[\"']" },
  ["composer.json"] = { locks = { "composer.lock" }, line = "^%s*\"[%w_.-]+/[%w_.-]+\"%s*:%s*\"" },
  ["go.mod"] = { locks = { "go.sum" }, line = "^%s*r?e?q?u?i?r?e?%s*[%w.-]+%.%w+/%S+%s+v%d" },
  ["pubspec.yaml"] = { locks = { "pubspec.lock" }, line = "^%s+[%w_]+:%s*%^?%d" },
  ["mix.exs"] = { locks = { "mix.lock" }, line = "^%s*{:[%w_]+,%s*\"" },
}

local NOT_VERSIONS = { version = true, node = true, npm = true, yarn = true, pnpm = true, packageManager = true, vscode = true,
  ["$schema"] = true, target = true, lib = true, bun = true }

-- The heading of the section that a line stands in, where that can be seen.
local function section_of(view, n, toml)
  for i = n, math.max(1, n - 400), -1 do
    local line = view.lines[i]
    if not line then return nil end
    if toml then
      local name = match(line.text, "^%s*%[+([^%]]+)%]")
      if name then return lower(name) end
      if match(line.text, "^%s*[%w_.-]*dependencies%s*=%s*%[") then return "dependencies" end
      if toml and match(line.text, "^%s*[%w_-]+%s*=%s*%[%s*$") and find(view.path, "pyproject") then return lower(line.text) end
    else
      local name = i < n and match(line.text, "^%s*\"([%w]+)\"%s*:%s*{%s*$")
      if name then return lower(name) end
    end
  end
  return nil
end

-- Whether a line only got or lost the comma at its end.
local function only_comma(view, text)
  local bare = string.gsub(text, "%s*,%s*$", "")
  for _, line in ipairs(view.removed) do
    if string.gsub(line.text, "%s*,%s*$", "") == bare then return true end
  end
  return false
end

local function declares(view, manifest)
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if find(line.text, manifest.line) and not line.moved and not only_comma(view, line.text) then
      local key = match(line.text, "^%s*\"([^\"]+)\"")
      if not (key and NOT_VERSIONS[key]) then
        if manifest.section then
          local name = section_of(view, n)
          for _, wanted in ipairs(manifest.section) do
            if name == wanted then return n end
          end
        elseif manifest.toml then
          local name = section_of(view, n, true)
          -- A range that is only widened needs no other lock in most tools, but then the lock changes its hash.
          if name and find(name, manifest.toml) and not find(name, "^%[?build") then return n end
        else
          return n
        end
      end
    end
  end
  return nil
end

local function join(dir, name) return dir == "" and name or dir .. "/" .. name end

local function locks_of(change, dir, manifest)
  local at = dir
  while true do
    for _, lock in ipairs(manifest.locks) do
      local path = join(at, lock)
      if change.tree and change.tree[path] then return path end
    end
    if at == "" then return nil end
    at = match(at, "^(.*)/[^/]*$") or ""
  end
end

local function manifests(change, report)
  local changed, others = {}, false
  for _, view in ipairs(change.views) do
    changed[view.path] = true
    if view.d.kind == "code" then others = true end
  end
  for _, view in ipairs(change.views) do
    local manifest = MANIFESTS[lower(view.d.name)]
    if manifest and view.status ~= "deleted" and not view.test and not view.example then
      local n = declares(view, manifest)
      local lock = n and locks_of(change, view.d.dir, manifest)
      if lock and not changed[lock] then
        report("manifest-without-lock", view, n, format("A dependency changed here, and %s did not.", git.show_path(lock, 120)))
      end
    end
    -- Who updates locks alone means to; among other changes it came along by accident.
    if view.d.kind == "lock" and view.status == "modified" and others and not view.test and not view.example then
      local name = nil
      for manifest_name, other in pairs(MANIFESTS) do
        for _, lock in ipairs(other.locks) do
          if lower(lock) == lower(view.d.name) then name = manifest_name end
        end
      end
      local touched = false
      for path in pairs(changed) do
        if name and lower(match(path, "([^/]*)$")) == name then touched = true end
      end
      if name and not touched then
        report("lock-without-manifest", view, nil, format("The lock file changed among other files, and no %s did.", name))
      end
    end
  end
end

local NOTHING = { "^%s*import%s", "^%s*from%s", "^%s*#include", "^%s*use%s", "^%s*package%s", "^%s*export%s+%*", "^%s*export%s*{",
  "^%s*export%s+type%s", "^%s*require", "^%s*interface%s", "^%s*@[%w_.]+%s*$", "^%s*[%w_]+%s*:%s*[%w_|%[%]]+[,;]?%s*$", "^%s*type%s" }

-- Whether code does something: no import, no bracket, no declaration of a type.
local function works(code)
  if not find(code, "%w") then return false end
  for _, pattern in ipairs(NOTHING) do
    if find(code, pattern) then return false end
  end
  return true
end

local function bare(code) return (string.gsub(code, "%s+", "")) end

-- How many lines of work a file gained: what only lost a comment or moved does not count.
local function gained(view)
  local texts, old, old_count = {}, {}, 0
  for i, line in ipairs(view.removed) do texts[i] = sub(line.text, 1, 2000) end
  for _, line in ipairs(source.lex(texts, view.language)) do
    if works(line.code) then
      old_count = old_count + 1
      old[bare(line.code)] = true
    end
  end
  local count = 0
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if line.inside == nil and works(line.code) then
      if old[bare(line.code)] then old_count = old_count - 1 else count = count + 1 end
    end
  end
  return count, count - math.max(0, old_count)
end

local NO_TESTS = { css = true, html = true, docker = true, make = true, cmake = true, starlark = true, terraform = true, proto = true,
  sql = true, meson = true, ninja = true, nix = true, mdx = true, template = true, shell = true, batch = true, graphql = true,
  groovy = true, notebook = true }

-- Words with which people announce that nothing is to behave otherwise.
local NEUTRAL = { "^refactor", "^chore", "^style", "^docs?[:(%s]", "^perf", "^build[:(]", "^ci[:(]", "^tests?[:(]", "^revert", "^bump", "^lint",
  "^format", "^rename", "^types?[:(]", "^typo", "^simplify", "^clean", "^move%s", "^remove%s", "^release", "^update%s", "^merge%s",
  "refactor", "clean ?ups?", "typing", "formatting", "no functional change", "^reformat", "^upgrade", "^deps", "^drop%s", "^inline%s" }

local function announced_neutral(facts)
  local subjects = facts.subjects or {}
  if #subjects == 0 then return false end
  for _, subject in ipairs(subjects) do
    local neutral = false
    for _, pattern in ipairs(NEUTRAL) do
      if find(lower(subject), pattern) then neutral = true end
    end
    if not neutral then return false end
  end
  return true
end

-- A test, what a test reads, or anything else whose path says that it has to do with tests.
local function about_tests(view)
  local path = lower(view.path)
  return view.test or (view.d.kind ~= "docs" and (find(path, "test", 1, true) or find(path, "%f[%a]specs?%f[^%a]") or find(path, "fixture", 1, true)
    or find(path, "snapshot", 1, true) or find(path, "%f[%a]e2e%f[^%a]") or find(path, "golden", 1, true))) or false
end

local function tests_missing(change, report)
  if announced_neutral(change.facts) then return end
  local lines, net, first, files, most = 0, 0, nil, {}, 0
  for _, view in ipairs(change.views) do
    if about_tests(view) then return end
    if view.production and not view.script and not NO_TESTS[view.language] and view.status ~= "deleted" and not find(view.path, "%.d%.ts$")
      and not find(lower(view.d.name), "config") and not view.d.in_docs then
      local count, more = gained(view)
      if count > 0 then
        lines, net = lines + count, net + more
        files[#files + 1] = git.show_path(view.path, 120)
        if count > most then first, most = view, count end
      end
      for _, n in ipairs(view.added) do
        local text = view.lines[n].text
        if find(text, "#%[%w*:?:?test%]") or find(text, "#%[cfg%(test%)%]") or find(text, "^%s*>>> ") then return end
      end
    end
  end
  if lines < 8 or net < 8 or not first then return end
  local language = V.family(first.language)
  local has_tests = false
  for _, path in ipairs(change.tree_list or {}) do
    local d = paths.describe(path)
    if d.test and d.kind == "code" and not d.generated and V.family(d.language) == language then
      has_tests = true
      break
    end
  end
  if not has_tests then return end
  report("code-without-tests", nil, nil, format("%d lines of new code in %d %s, and no test was added or changed.", lines, #files,
    #files == 1 and "file" or "files"), {
    evidence = table.concat(files, "\n", 1, math.min(#files, 10)), severity = net >= 60 and "medium" or "low",
    confidence = net >= 25 and 0.8 or 0.65,
  })
end

local STRAY = { [".ds_store"] = true, ["thumbs.db"] = true, ["desktop.ini"] = true, ["npm-debug.log"] = true, ["yarn-error.log"] = true,
  ["core"] = false, ["nohup.out"] = true, [".coverage"] = true, ["a.out"] = true }
local STRAY_DIRS = { "node_modules/", "__pycache__/", ".pytest_cache/", ".mypy_cache/", ".idea/", ".tox/", ".nyc_output/", ".venv/" }
local BINARY = { exe = true, dll = true, so = true, dylib = true, o = true, obj = true, a = true, lib = true, class = true, pyc = true,
  jar = true, war = true, zip = true, gz = true, tgz = true, tar = true, rar = true, ["7z"] = true, deb = true, rpm = true, dmg = true,
  iso = true, msi = true, apk = true, whl = true, egg = true, bin = true, node = true, wasm = true }

local function files(change, report)
  local total = 0
  for _, view in ipairs(change.views) do
    local low = lower(view.d.name)
    local new = view.status == "added" or view.section == "untracked"
    total = total + ((view.generated or view.test or view.d.kind == "data" or view.d.kind == "docs") and 0 or #view.added)
    if new and not change.whole_files then
      local stray = STRAY[low] or find(low, "%.orig$") or find(low, "%.rej$") or find(low, "%.sw[op]$") or find(low, "%.pyc$")
        or (find(low, "%.bak$") and not view.test) or (find(low, "~$") and #low > 1) or (find(low, "^%._") and true)
      local dir
      for _, name in ipairs(STRAY_DIRS) do
        if find("/" .. lower(view.path), "/" .. name, 1, true) then dir = name end
      end
      if (stray or dir) and not view.d.fixture then
        report("stray-file", view, nil, dir and format("What lies in %s is made by tools, and does not belong to the repository.", dir)
          or "The file is a leftover of a tool or an editor.")
      elseif view.part.binary and BINARY[view.d.ext] and not view.test and not find(low, "^gradle%-wrapper") then
        report("binary-added", view, nil, "A compiled or packed file was added: nobody can review it.")
      end
      if (view.part.added or 0) >= 20000 and view.d.kind ~= "lock" then
        report("large-file", view, nil, format("The new file has %d lines.", view.part.added))
      end
    end
    local part = view.part
    if part.new_mode == "100755" and part.old_mode == "100644" or (new and part.new_mode == "100755") then
      local first = view.lines[1]
      if not part.binary and view.d.kind ~= "unknown" and view.language ~= "shell" and view.d.ext ~= "" and not (first and find(first.text, "^#!"))
        and (view.whole or (first and first.added)) and #view.lines > 0 and not view.test then
        report("odd-mode", view, nil, "The file is executable, but it is nothing that can be run.")
      end
    end
  end
  if total > 3000 and not change.whole_files then
    report("too-large", nil, nil, format("%d lines of code in one change: more than anybody can review with care.", total))
  end
end

function M.change(change, report)
  if not change.whole_files then
    manifests(change, report)
    tests_missing(change, report)
  end
  files(change, report)
end

return M
