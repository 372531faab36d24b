--- Scripts of package.json and tasks of deno.json: the nearest manifest that declares the wanted one, run by the
--- package manager whose lock file the repository has.

local read = require "checks.read"

local find, match = string.find, string.match

local M = {}

local LANGUAGES = { javascript = true, typescript = true, vue = true, svelte = true, astro = true, mdx = true,
  css = true, html = true, node = true, deno = true }
local TYPED = { typescript = true, vue = true, svelte = true, astro = true }
local MANIFEST = { ["package.json"] = true, ["deno.json"] = true, ["deno.jsonc"] = true }

local MANIFESTS = { "package.json", "deno.json", "deno.jsonc" }

local SCRIPTS = {
  typecheck = { "typecheck", "type-check", "check-types", "check:types", "types:check", "tsc", "types" },
  lint = { "lint:check", "lint:ci", "lint", "eslint", "lint:js", "lint:ts", "check:lint" },
  style = { "lint:css", "lint:styles", "stylelint", "lint" },
  format = { "format:check", "prettier:check", "fmt:check", "check:format" },
  test = { "test", "tests", "test:unit", "unit" },
  once = { "test:ci", "test:run", "test:once", "test:unit" },
  build = { "build", "compile", "bundle" },
  docs = { "lint:md", "lint:markdown", "markdownlint", "lint:docs", "docs:lint", "md:lint", "check:md" },
  skills = { "validate:skills", "validate-skills", "check:skills", "lint:skills", "check-skills" },
}

local function join(dir, name) return dir == "" and name or dir .. "/" .. name end

local LOCKS = { "pnpm-lock.yaml", "yarn.lock", "bun.lockb", "bun.lock", "package-lock.json", "npm-shrinkwrap.json" }
local MANAGERS = { ["pnpm-lock.yaml"] = "pnpm", ["yarn.lock"] = "yarn", ["bun.lockb"] = "bun", ["bun.lock"] = "bun" }

local function manifest(s, path)
  s.manifests = s.manifests or {}
  if s.manifests[path] == nil then s.manifests[path] = read.json(s.text(path)) or false end
  return s.manifests[path] or {}
end

local function manager(s, dir)
  local at = dir
  while at do
    local named = manifest(s, join(at, "package.json")).packageManager
    local name = type(named) == "string" and match(named, "^(%l+)@")
    if name == "npm" or name == "pnpm" or name == "yarn" or name == "bun" then return name end
    at = at ~= "" and (match(at, "^(.*)/[^/]*$") or "") or nil
  end
  local _, lock = s.nearest(dir, LOCKS)
  return lock and MANAGERS[match(lock, "([^/]*)$")] or "npm"
end

local function command(pm, script)
  if script == "test" and pm ~= "bun" then return pm .. " test" end
  return pm .. " run " .. script
end

local function watches(text)
  return find(text, "--watch", 1, true) and not find(text, "--watch=false", 1, true)
    and not find(text, "--watchAll=false", 1, true)
end

-- The script that npm init leaves behind tests nothing; one that watches never ends.
local function usable(name, text)
  if find(text, "no test specified", 1, true) or text == "" then return false end
  return not (find(name, "test", 1, true) and watches(text))
end

-- The nearest package.json at or above `dir` with one of the scripts.
local function script(s, dir, kind, names)
  local at, path = s.nearest(dir, { "package.json" })
  while at do
    local scripts = read.texts(manifest(s, path).scripts)
    for _, name in ipairs(names) do
      if scripts[name] and usable(name, scripts[name]) then
        s.emit(kind, command(manager(s, at), name), "package.json scripts", at)
        return true
      end
    end
    if at == "" then return false end
    at, path = s.nearest(match(at, "^(.*)/[^/]*$") or "", { "package.json" })
  end
  return false
end

local function depends_on(s, dir, name)
  local at, path = s.nearest(dir, { "package.json" })
  while at do
    local data = manifest(s, path)
    for _, key in ipairs { "dependencies", "devDependencies" } do
      if type(data[key]) == "table" and data[key][name] ~= nil then return true end
    end
    if at == "" then return false end
    at, path = s.nearest(match(at, "^(.*)/[^/]*$") or "", { "package.json" })
  end
  return false
end

local EXEC = { npm = "npx --no-install tsc --noEmit", pnpm = "pnpm exec tsc --noEmit", yarn = "yarn tsc --noEmit",
  bun = "bunx tsc --noEmit" }

local function package(s, dir, files)
  local typed, code, style, build = false, false, false, false
  for _, file in ipairs(files) do
    local language, name = file.d.language, file.d.name
    if TYPED[language] or find(name, "^tsconfig") then typed = true end
    if language == "css" then style = true else code = true end
    if file.d.kind == "lock" or name == "package.json" or find(name, "^tsconfig") or find(name, "%.config%.") then
      build = true
    end
  end
  if typed and not script(s, dir, "typecheck", SCRIPTS.typecheck) and s.has(join(dir, "tsconfig.json"))
    and depends_on(s, dir, "typescript") then
    s.emit("typecheck", EXEC[manager(s, dir)], "tsconfig.json", dir)
  end
  if code then script(s, dir, "lint", SCRIPTS.lint) end
  if style then script(s, dir, "lint", SCRIPTS.style) end
  script(s, dir, "lint", SCRIPTS.format)
  local tested = code and (script(s, dir, "test", SCRIPTS.test) or script(s, dir, "test", SCRIPTS.once))
  if build or not tested then script(s, dir, "build", SCRIPTS.build) end
end

local DENO = { lint = { "lint" }, typecheck = { "check", "typecheck" }, test = { "test" } }

local function deno(s, dir, path)
  local tasks = read.texts(manifest(s, path).tasks)
  local function task(kind, own)
    for _, name in ipairs(DENO[kind]) do
      if tasks[name] then return s.emit(kind, "deno task " .. name, "deno.json tasks", dir) end
    end
    if own then s.emit(kind, own, "deno.json", dir) end
  end
  task("typecheck")
  task("lint", "deno lint")
  task("test", "deno test")
end

--- A script of package.json for prose. Returns true if there was one.
---@param s checks.Survey
---@param files table[]
---@return boolean
function M.docs(s, files)
  return script(s, files[1].d.dir, "lint", SCRIPTS.docs)
end

--- A script of package.json that checks skills.
---@param s checks.Survey
---@param file table
function M.skills(s, file)
  script(s, file.d.dir, "custom", SCRIPTS.skills)
end

--- Emits for every package that has changed files; returns the files that it took.
---@param s checks.Survey
---@param _ table the module checks
---@param files table[]
---@return table<table, boolean>
function M.run(s, _, files)
  local taken, groups, order = {}, {}, {}
  for _, file in ipairs(files) do
    local name = file.d.name
    if LANGUAGES[file.language] or MANIFEST[name] or find(name, "^tsconfig") or find(name, "^%.?eslint")
      or find(name, "^biome%.json") or find(name, "^%.prettierrc") then
      local dir, path = s.nearest(file.d.dir, MANIFESTS)
      if dir then
        if not groups[path] then
          groups[path] = { dir = dir }
          order[#order + 1] = path
        end
        table.insert(groups[path], file)
        taken[file] = true
      end
    end
  end
  for _, path in ipairs(order) do
    local group = groups[path]
    if find(path, "deno%.jsonc?$") then deno(s, group.dir, path) else package(s, group.dir, group) end
  end
  return taken
end

return M
