--- Finds the check commands that a repository declares, and runs none of them.
--- The sources are package.json, make, just, task, the CI, and standard commands for a manifest.
--- A command with words that table.md does not list, or that a shell would expand, is ignored.
local data = require "table"
local m = require "moonlet"
local paths = require "moonlet.paths"
local text_of = require "moonlet.text"

local find, gmatch, lower, match = string.find, string.gmatch, string.lower, string.match

local M = {}

local KINDS = { "typecheck", "lint", "test", "build" }
local OWN_KINDS = { docs = "lint", skills = "custom" }

--- Reports whether a file may declare checks, locked dependencies or skills.
--- This function is passed to m.facts.git as the option `survey`.
function M.wanted(name, path)
  return data.wanted[name] or find(path, "^%.github/workflows/") ~= nil
    or path == ".gitlab-ci.yml" or paths.lock(name) ~= nil or lower(name) == "skill.md"
end

local function join(dir, name) return dir == "" and name or dir .. "/" .. name end

local function parent_of(dir) return dir ~= "" and (match(dir, "^(.*)/") or "") or nil end

-- Returns the nearest folder at or above `dir` for which `test(dir)` returns a value.
local function climb(dir, test)
  while dir do
    local found = test(dir)
    if found then return dir, found end
    dir = parent_of(dir)
  end
end

local function first_of(names, known)
  for _, name in ipairs(names) do
    if known[name] then return name end
  end
end

-- Returns the names of the scripts in a package.json, without scripts that watch files and without
-- the placeholder that `npm init` writes.
local function scripts_of(s, path)
  local ok, value = pcall(m.json.decode, s.text(path) or "")
  local list = {}
  local scripts = ok and type(value) == "table" and value.scripts
  for name, text in pairs(type(scripts) == "table" and scripts or {}) do
    list[name] = type(text) == "string" and text ~= "" and not find(text, "--watch", 1, true)
      and not find(text, "no test specified", 1, true) or nil
  end
  return list
end

-- Returns the package patterns of the workspace in this folder, or nil if the folder is not a workspace.
local function workspace_of(s, folder)
  local ok, value = pcall(m.json.decode, s.text(join(folder, "package.json")) or "")
  local list = ok and type(value) == "table" and value.workspaces or nil
  list = type(list) == "table" and list.packages or list
  if type(list) == "table" then return list end
  local text = s.text(join(folder, "pnpm-workspace.yaml"))
  local packages = text and match("\n" .. text, "\npackages:[^\n]*\n(.*)")
  if not packages then return nil end
  list = {}
  for line in gmatch(packages, "[^\n]+") do
    if find(line, "^%S") and not find(line, "^[#-]") then break end
    list[#list + 1] = match(line, "^%s*%-%s*[\"']?([^\"'#%s]+)")
  end
  return list
end

local function covers(pattern, folder)
  if type(pattern) ~= "string" then return false end
  pattern = pattern:gsub("^%./", ""):gsub("/$", "")
  local ok, matches = pcall(m.glob.compile, pattern .. "/package.json")
  return ok and matches(folder .. "/package.json")
end

-- Reports whether the workspace above a folder excludes the folder's package, such as a template or fixture.
-- An excluded package has no installed dependencies, so its scripts cannot run.
local function is_left_out(s, folder)
  if folder == "" or s.first(folder, data.pair[1].locks) then return false end
  local top, patterns = climb(parent_of(folder), function(dir) return workspace_of(s, dir) end)
  if not top then return false end
  local below, member = top == "" and folder or folder:sub(#top + 2), false
  for _, pattern in ipairs(patterns) do
    local negative = type(pattern) == "string" and match(pattern, "^!(.*)")
    if negative and covers(negative, below) then return true end
    member = member or covers(pattern, below)
  end
  return not member
end

local function from_package(s, dir, kind)
  local at, name = climb(dir, function(folder)
    local path = join(folder, "package.json")
    local script = s.there[path] and first_of(data.scripts[1][kind], scripts_of(s, path))
    return script and not is_left_out(s, folder) and script or nil
  end)
  if not at then return false end
  local _, lock = climb(at, function(folder) return s.first(folder, data.pair[1].locks) end)
  local manager = match(lock or "", "^(pnpm)-") or match(lock or "", "^(%l+)%.") or "npm"
  local verb = name == "test" and manager ~= "bun" and " " or " run "
  return s.emit(OWN_KINDS[kind] or kind, manager .. verb .. name, at)
end

-- Returns the targets of a Makefile, justfile or Taskfile that need no argument.
local function targets_of(path, text)
  local list, form = {}, find(path, "^Taskfile") and "^  ([%w_-]+):(.?)" or "^@?([%w_./ -]+):(.?)"
  local program = find(path, "^Task") and "task " or find(path, "ustfile$") and "just " or "make "
  for line in gmatch(text, "[^\n]+") do
    local names, after = match(line, form)
    if names and after ~= "=" and #line < 1000 then
      for name in gmatch(names, "%S+") do list[name] = true end
    end
  end
  return list, program
end

-- Reports whether a makefile enters a folder below its own, as in `$(MAKE) -C t all` or `cd t && make`.
local function enters(text, below)
  for _, form in ipairs { "%-C%s*([^%s;&|)]+)", "%f[%a]cd%s+([^%s;&|)]+)" } do
    for word in gmatch(text, form) do
      if word:gsub("^%./", ""):gsub("/$", "") == below then return true end
    end
  end
  return false
end

local function from_targets(s, dir, kind)
  local files = data.targets[1].files
  local at, file = climb(dir, function(folder) return s.first(folder, files) end)
  if not at then return false end
  local targets, program = targets_of(file, s.text(join(at, file)) or "")
  local name = first_of(data.targets[1][kind], targets)
  if not name then return false end
  -- Prefer a makefile in a parent folder that calls make in this folder, because its
  -- check includes this one.
  local up, outer = climb(parent_of(at), function(folder) return s.first(folder, files) end)
  local is_entered = up and enters(s.text(join(up, outer)) or "",
    up == "" and at or at:sub(#up + 2))
  return is_entered and from_targets(s, up, kind) or s.emit(kind, program .. name, at)
end

local function from_manifest(s, d, kind)
  for _, row in ipairs(data.ecosystem) do
    local command = (row.languages[d.language or ""] or row.manifests[d.name]) and row[kind]
    local at = climb(command and d.dir or nil, function(folder)
      for _, name in ipairs(row.manifests) do
        local text = s.text(join(folder, name))
        if text and find(text, row.has and row.has[0] or "", 1, true) then return true end
      end
    end)
    if at then return s.emit(kind, command[0], at) end
  end
  return false
end

-- Returns the kind of a CI command, or nil if a person could not repeat it as a check.
local function ci_kind(line)
  local first = match(line, "^(%S+)")
  if not first or find(line, "[$`;|&<>\\{}\"'%c]") or text_of.word(line, data.ci[1].refused)
    or not (data.ci[1].programs[first] or find(first, "^%./[%w_./-]+$")) then
    return nil
  end
  for _, kind in ipairs { "lint", "typecheck", "test", "build" } do
    if text_of.word(line, data.ci[1][kind]) then return kind end
  end
end

-- Returns the check commands of the CI as {kind, line}.
local function ci_commands(s, facts)
  local list = {}
  for _, path in ipairs(facts.survey or {}) do
    local is_ci = find(path, "^%.github/workflows/") or path == ".gitlab-ci.yml"
    if is_ci and not text_of.word(path, { "release", "deploy", "publish" }) then
      for line in gmatch(s.text(path) or "", "[^\n]+") do
        line = text_of.trim(line:sub(1, 200):gsub("^%s*%-?%s*run:", ""):gsub("^%s*%-%s", ""))
        local kind = ci_kind(line)
        if kind then list[#list + 1] = { kind = kind, line = line } end
      end
    end
  end
  return list
end

local function survey_of(ctx, facts)
  local cache, list, seen = {}, {}, {}
  local s = { there = M.files(facts), list = list }
  function s.first(folder, names)
    for _, name in ipairs(names) do
      if s.there[join(folder, name)] then return name end
    end
  end
  function s.text(path)
    if cache[path] == nil then
      cache[path] = s.there[path] and ctx:read(path, { cap = 262144, missing = "nil" }) or false
    end
    return cache[path] or nil
  end
  function s.emit(kind, command, dir)
    local word = dir ~= "" and m.git.shell_word(dir)
    local line = dir == "" and command or word and ("cd %s && %s"):format(word, command)
    if line and not seen[line] then
      seen[line], list[#list + 1] = true, { kind = kind, command = line }
    end
    return line ~= nil
  end
  return s
end

--- Returns the files of the repository after the change, as a set.
function M.files(facts)
  local there = {}
  for _, path in ipairs(facts.survey or {}) do there[path] = true end
  for _, file in ipairs(facts.files) do
    there[file.path] = (file.status ~= "deleted" or file.untracked) or nil
    if file.status == "renamed" then there[file.old_path] = nil end
  end
  return there
end

local function is_checked(d)
  return d.kind ~= "docs" and d.kind ~= "asset" and not data.inert[1].names[lower(d.name)]
    and not find(d.path, "^%.github/")
end

-- Returns the check of one kind for a file. Tries the scripts of package.json, then the targets of
-- a makefile, then the standard command for the file's manifest.
local function check_file(s, d, kind)
  local is_node = data.node[1].languages[d.language or ""]
  return is_node and from_package(s, d.dir, kind) or from_targets(s, d.dir, kind)
    or from_manifest(s, d, kind)
end

--- Returns the commands that check this change, cheapest first.
---@param of_skills table<string, boolean>  changed files that belong to skills
---@return {kind: string, command: string}[]
function M.find(ctx, facts, of_skills)
  local s, files = survey_of(ctx, facts), {}
  local ci, found = ci_commands(s, facts), {}
  for _, file in ipairs(facts.files) do
    local d, old = file.d, file.status == "renamed" and paths.describe(file.old_path)
    if of_skills[file.path] then
      found.skills = found.skills or from_package(s, d.dir, "skills")
    elseif d.kind == "docs" then
      found.docs = found.docs or from_package(s, d.dir, "docs")
    end
    for _, one in ipairs { d, old or nil } do
      if is_checked(one) and not of_skills[one.path] and #files < 500 then
        files[#files + 1] = one
      end
    end
  end
  for _, kind in ipairs(files[1] and KINDS or {}) do
    for _, d in ipairs(files) do
      local wanted = kind ~= "build" or not found.test
      found[kind] = wanted and check_file(s, d, kind) or found[kind]
    end
    for _, command in ipairs(ci) do
      if command.kind == kind and not found[kind] and not (kind == "build" and found.test) then
        found[kind] = s.emit(kind, command.line, "")
      end
    end
  end
  if #s.list == 0 and #facts.files > 0 then
    local t = facts.totals
    local command = t.staged > 0 and "git diff --cached --check"
      or t.unstaged > 0 and "git diff --check"
    if command then s.emit("lint", command, "") end
  end
  return { table.unpack(s.list, 1, math.min(#s.list, 40)) }
end

return M
