--- Finds the validation commands that a repository declares, the fewest that fit the files that changed.
--- Found, never invented: a script of a manifest, a target of a task runner, the tool that a configuration file is
--- for, a line of the CI, or else a syntax check that needs nothing but the language itself. Runs nothing.

local checks_data = require "checks_data"
local git = require "moonlet.git"
local paths = require "moonlet.paths"
local read = require "checks.read"

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub
local concat = table.concat

local M = {}

--- The readers of makefiles, justfiles, Taskfiles, CI files and loose JSON.
M.read = read

---@class checks.Check
---@field kind string     typecheck, lint, test, build or custom
---@field command string  a shell line
---@field why string      its origin
---@field cwd string      the folder to run it in, relative to the top; "." is the top

---@class checks.Survey   questions of the ecosystems
---@field files table[]           {path, d, deleted}: the changed files
---@field has fun(path: string): boolean
---@field text fun(path: string): string?
---@field nearest fun(dir: string, names: string[]): string?, string?
---@field topmost fun(dir: string, names: string[]): string?, string?
---@field emit fun(check: table)

local MOST = 40
local RANK = { typecheck = 2, lint = 3, custom = 4, build = 5, test = 6 }

--- True if a tracked file matters to the finding of checks; give it to `facts.git` as `survey`.
---@param name string
---@param path string
---@return boolean
function M.wanted(name, path)
  local low = lower(name)
  if checks_data.names[low] then return true end
  for i = 1, #checks_data.parts do
    if find(low, checks_data.parts[i]) then return true end
  end
  return sub(path, 1, 18) == ".github/workflows/"
end

local function parent(dir)
  if dir == "" then return nil end
  return match(dir, "^(.*)/[^/]*$") or ""
end

local function join(dir, name) return dir == "" and name or dir .. "/" .. name end

local function make_survey(ctx, facts)
  local there, cache, files, folders = {}, {}, {}, {}
  for _, path in ipairs(facts.survey or {}) do there[path] = true end
  for _, file in ipairs(facts.files) do
    local deleted = file.status == "deleted" and not file.untracked
    there[file.path] = not deleted or nil
    if file.old_path and file.status == "renamed" then there[file.old_path] = nil end
    local d = file.d or paths.describe(file.path, folders)
    files[#files + 1] = { path = file.path, d = d, deleted = deleted, nested = file.nested, submodule = file.submodule,
      symlink = file.symlink }
    -- A rename may have taken away a file of another kind than it made.
    local old = file.old_path and file.status == "renamed" and paths.describe(file.old_path, folders)
    if old and (old.kind ~= d.kind or old.language ~= d.language) then
      files[#files + 1] = { path = file.old_path, d = old, deleted = true }
    end
  end
  local s = { files = files, checks = {}, ctx = ctx, python_tests = {} }
  for _, path in ipairs(facts.survey or {}) do
    if there[path] and find(path, "test[%w_]*%.py$") then s.python_tests[#s.python_tests + 1] = path end
  end
  for _, file in ipairs(files) do
    if not file.deleted and find(file.path, "test[%w_]*%.py$") then s.python_tests[#s.python_tests + 1] = file.path end
  end

  function s.has(path) return there[path] == true end

  function s.text(path)
    if not there[path] then return nil end
    if cache[path] == nil then cache[path] = ctx:read(path, { cap = 262144, missing = "nil" }) or false end
    return cache[path] or nil
  end

  local function look(dir, names)
    for i = 1, #names do
      local path = join(dir, names[i])
      if there[path] then return path end
    end
  end

  -- Asked for each file, with few lists of names and few folders, so each answer is kept.
  local function remembered(search)
    local answers = {}
    return function(dir, names)
      local known = answers[names]
      if not known then
        known = {}
        answers[names] = known
      end
      if known[dir] == nil then known[dir] = { search(dir, names) } end
      return known[dir][1], known[dir][2]
    end
  end

  s.nearest = remembered(function(dir, names)
    while dir do
      local path = look(dir, names)
      if path then return dir, path end
      dir = parent(dir)
    end
  end)

  s.topmost = remembered(function(dir, names)
    local best, best_path
    while dir do
      local path = look(dir, names)
      if path then best, best_path = dir, path end
      dir = parent(dir)
    end
    return best, best_path
  end)

  return s
end

--- The changed files as words of a shell line, relative to `dir`; nil if there are too many to list, or if one has a
--- name that a shell line cannot show.
---@param files table[]
---@param dir string
---@param limit integer?
---@return string?
function M.file_words(files, dir, limit)
  local words = {}
  for _, file in ipairs(files) do
    if not file.deleted and not file.symlink then
      local path = dir == "" and file.path or sub(file.path, #dir + 2)
      local word = git.shell_word(path)
      if not word or #words >= (limit or 20) then return nil end
      words[#words + 1] = word
    end
  end
  if #words == 0 then return nil end
  return concat(words, " ")
end

local function emitter(s)
  local seen = {}
  return function(kind, command, why, dir)
    dir = dir or ""
    if dir ~= "" and not git.shell_word(dir) then return end
    local key = dir .. "\0" .. command
    if seen[key] then return end
    seen[key] = true
    s.checks[#s.checks + 1] = { kind = kind, command = command, why = why, cwd = dir == "" and "." or dir,
      order = #s.checks }
  end
end

-- Whitespace errors and conflict markers, by git alone; Markdown ends lines in two spaces on purpose.
local function diff_check(facts, s)
  local staged, unstaged, spaced = false, false, false
  for _, file in ipairs(facts.files) do
    staged, unstaged = staged or file.staged, unstaged or file.unstaged
    local d = file.d or paths.describe(file.path)
    if d.kind == "docs" or d.kind == "data" or d.test then
      for _, part in ipairs(file.parts) do
        for mark, _, text in git.changed_lines(part) do
          if mark == "+" and find(text, "[ \t]$") then spaced = true break end
        end
      end
    end
    if spaced then return end
  end
  local command = staged and unstaged and (facts.head and "git diff --check HEAD" or "git diff --cached --check")
    or staged and "git diff --cached --check" or unstaged and "git diff --check"
  if command then s.emit("lint", command, "git", "") end
end

local function has_kind(s, kinds)
  for _, check in ipairs(s.checks) do
    if kinds[check.kind] then return true end
  end
  return false
end

--- Files that neither a build nor a test of the product reads, so that changing them asks for none.
---@param path string
---@return boolean
function M.inert(path)
  local _, name = paths.split(path)
  return sub(path, 1, 8) == ".github/" or checks_data.inert[lower(name)] == true
end

local function any_code(s)
  for _, file in ipairs(s.files) do
    local kind = M.inert(file.path) and "inert" or file.d.kind
    if kind == "code" or kind == "config" or kind == "lock" or kind == "unknown" then return true end
  end
  return false
end

-- The files of the CI that check, and their commands; read only if a question needs them.
local function add_ci(s, facts)
  local workflows, hints = {}, nil
  for _, path in ipairs(facts.survey or {}) do
    local low = lower(path)
    if (sub(path, 1, 18) == ".github/workflows/" or path == ".gitlab-ci.yml") and #workflows < 8
      and not find(low, "release", 1, true) and not find(low, "deploy", 1, true)
      and not find(low, "publish", 1, true) then
      workflows[#workflows + 1] = path
    end
  end

  -- The commands of the CI, as { {kind, command, path} }.
  function s.ci_hints()
    if hints then return hints end
    hints = {}
    for _, path in ipairs(workflows) do
      for _, hint in ipairs(read.ci_commands(s.text(path) or "")) do
        hint.path = path
        hints[#hints + 1] = hint
      end
    end
    return hints
  end

  -- The first command of the CI that holds a word.
  function s.ci_command(word)
    for _, hint in ipairs(s.ci_hints()) do
      local from, to = find(hint.command, word, 1, true)
      if from and not find(hint.command, "^[%w_.-]", to + 1)
        and (from == 1 or find(hint.command, "^[%s/]", from - 1)) then
        return hint
      end
    end
  end

  function s.ci_has(word)
    if s.ci_command(word) then return true end
    for _, path in ipairs(workflows) do
      for line in string.gmatch(s.text(path) or "", "[^\n]+") do
        if #line < 400 and not find(line, "^%s*#") and not find(line, "install", 1, true)
          and find(line, "%f[%w]" .. word .. "%f[^%w_.-]") then
          return true
        end
      end
    end
    return false
  end
end

-- The command of a test script: the CI's, or the script by itself.
local function script_command(s, path)
  local hint = s.ci_command(path)
  if hint then return hint.command end
  local entry = git.run(s.ctx, { "ls-files", "-z", "--stage", "--", path })
  if match(entry.stdout or "", "^100755 ") then return "./" .. path end
  local first = match(s.text(path) or s.ctx:read(path, { cap = 256, missing = "nil" }) or "", "^#!([^\n]*)") or ""
  return (find(first, "%f[%w]sh%f[^%w]") and "sh " or "bash ") .. path
end

-- Checks that no manifest declares: a test script with a well-known name, then the CI's commands.
local function hints(s)
  if not has_kind(s, { test = true }) then
    for _, path in ipairs(checks_data.scripts) do
      if s.has(path) then
        s.emit("test", script_command(s, path), path, "")
        break
      end
    end
  end
  for _, hint in ipairs(s.ci_hints()) do
    local taken = { [hint.kind] = true }
    -- A build adds nothing to tests, for they build first.
    if hint.kind == "build" then taken.test = true end
    if not has_kind(s, taken) then s.emit(hint.kind, hint.command, hint.path, "") end
  end
end

-- Tools that pre-commit runs need not run twice.
local function drop_covered(s)
  local config = s.text(".pre-commit-config.yaml")
  if not config then return end
  local covers = false
  for _, check in ipairs(s.checks) do
    if sub(check.command, 1, 10) == "pre-commit" then covers = true end
  end
  if not covers then return end
  local kept = {}
  for _, check in ipairs(s.checks) do
    local tool = match(check.command, "^%l+ run ([%w-]+)") or match(check.command, "^cargo (%l+)")
      or match(check.command, "^([%w-]+)")
    if check.kind ~= "lint" or tool == "pre-commit" or tool == "git" or tool == "lint" or tool == "make"
      or not find(config, tool, 1, true) then
      kept[#kept + 1] = check
    end
  end
  s.checks = kept
end

--- Finds the commands that check this change, cheapest first.
---@param ctx table
---@param facts moonlet.facts.Git with `survey` from `facts.git(ctx, target, {survey = checks.wanted})`
---@return checks.Check[]
function M.find(ctx, facts)
  local s = make_survey(ctx, facts)
  s.emit = emitter(s)
  add_ci(s, facts)
  if #s.files == 0 then return {} end
  require("checks.ecosystems").run(s, M)
  if any_code(s) then hints(s) end
  require("checks.syntax").run(s, M, has_kind(s, { test = true, build = true, typecheck = true, lint = true }))
  if #s.checks == 0 then diff_check(facts, s) end
  drop_covered(s)
  table.sort(s.checks, function(a, b)
    if RANK[a.kind] ~= RANK[b.kind] then return RANK[a.kind] < RANK[b.kind] end
    return a.order < b.order
  end)
  local few = {}
  -- A change all over a repository of many packages would need them all; then the first stand for the rest.
  for i, check in ipairs(s.checks) do
    check.order = nil
    if i <= MOST then few[i] = check end
  end
  return few
end

--- A check as one shell line that works from the top of the work tree.
---@param check checks.Check
---@return string
function M.line(check)
  if check.cwd == "." then return check.command end
  return format("cd %s && %s", git.shell_word(check.cwd), check.command)
end

return M
