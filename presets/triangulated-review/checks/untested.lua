--- Reports new functions without a test, in a repository that has tests.
local change_of = require "change"
local m = require "moonlet"
local paths = require "moonlet.paths"
local text = require "moonlet.text"

local M = {}

M.checks = {
  { name = "code-without-tests", severity = "low", confidence = 0.8,
    help = "new functions, and no test changed",
    fix = "Add a test that fails without this change." },
}

local least_lines, many_lines, least_body = 4, 60, 3

-- Each pattern matches the first line of an exported function or class and captures its name.
local JS = { "^export%s+default%s+function%s+([%w_$]+)", "^export%s+async%s+function%s+([%w_$]+)",
  "^export%s+function%s*%*?%s*([%w_$]+)", "^export%s+const%s+([%w_$]+)%s*[:=].*=>",
    "^export%s+class%s+([%w_$]+)",
  "^function%s*%*?%s*([%w_$]+)", "^async%s+function%s+([%w_$]+)",
    "^const%s+([%w_$]+)%s*=.*=>%s*{?%s*$",
  "^class%s+([%w_$]+)", "^%s*exports%.([%w_$]+)%s*=%s*function" }
local FUNCTIONS = {
  python = { "^def%s+(%a[%w_]*)", "^async%s+def%s+(%a[%w_]*)",
    "^    def%s+(%a[%w_]*)%s*%(%s*self" },
  javascript = JS, typescript = JS,
  go = { "^func%s+([%w_]+)%s*[%(%[]", "^func%s+%b()%s*([%w_]+)%s*%(" },
  rust = { "^%s*pub%s+fn%s+([%w_]+)", "^%s*pub%s+async%s+fn%s+([%w_]+)" },
  java = { "^%s*public%s+[%w%s<>,%[%]%.]-([%a_][%w_]*)%s*%([^;]*$" },
  csharp = { "^%s*public%s+[%w%s<>,%[%]%.]-([%a_][%w_]*)%s*%([^;]*$" },
  c = { "^%a[%w_%s%*]-[%s%*]([%a_][%w_]*)%s*%([^;]*{%s*$" },
  cpp = { "^%a[%w_%s%*&:<>]-[%s%*&:]([%a_][%w_]*)%s*%([^;]*{%s*$" },
  ruby = { "^%s*def%s+self%.([%w_?!]+)", "^%s*def%s+([%w_?!]+)" },
  php = { "^%s*public%s+function%s+([%w_]+)", "^%s*public%s+static%s+function%s+([%w_]+)",
    "^function%s+([%w_]+)" },
  lua = { "^function%s+[%w_.:]-([%w_]+)%s*%(" },
}
local NO_FUNCTION = text.set [[if for while switch return else main constructor initialize catch
  sizeof defined static String toString Error hashCode equals to_s inspect __repr__ __str__]]
-- Matches commit subjects that announce no new behaviour.
local NEUTRAL = { "refactor", "^chore", "^style", "^docs?[:(%s]", "^build[:(]", "^ci[:(]",
  "^tests?[:(]", "^revert",
  "^bump", "^lint", "^format", "^rename", "^types?[:(]", "^typo", "simplif", "reorgani",
    "restructur",
  "^extract%s", "^split%s", "^tidy", "^move%s", "^release", "^merge%s", "clean ?ups?", "^reformat",
    "^deps" }
local TEST_PATHS = { "test", "%f[%a]specs?%f[^%a]", "fixture", "snapshot", "%f[%a]e2e%f[^%a]",
  "golden", "%.feature$" }
local TESTS_INSIDE = { "#%[%w*:?:?test%]", "#%[cfg%(test%)%]", "^%s*>>> ", "^%s*TEST[%w_]*%s*%(" }

local function announced_neutral(facts)
  local subjects = facts.subjects or {}
  for _, subject in ipairs(subjects) do
    if not text.any(subject:lower(), NEUTRAL) then return false end
  end
  return #subjects > 0
end

local function function_in(file, line)
  local name = #line < 1000 and text.first(line, FUNCTIONS[file.d.language] or {})
  if not name or NO_FUNCTION[name] or line:find "^static%s" then return nil end
  return name
end

-- Reports whether a file is a test, test data, or code with tests inside.
local function tests(file)
  if file.d.test or file.d.kind ~= "docs" and text.any(file.path:lower(),
    TEST_PATHS) then return true end
  for _, n in ipairs(file.source and file.added or {}) do
    if text.any(file.lines[n]:sub(1, 1000), TESTS_INSIDE) then return true end
  end
  return false
end

local function repository_has_tests(change, language)
  local cache = {}
  for path in pairs(change.tree or {}) do
    local d = paths.describe(path, cache)
    if d.test and d.kind == "code" and d.language == language
      and not d.generated then return true end
  end
  return false
end

local function work_lines(file)
  local count, within = 0, change_of.inside(file)
  for _, n in ipairs(file.added) do
    if file.lines[n]:find "%w" and not within[n]
      and not file.lines[n]:find "^%s*[#/*]" then count = count + 1 end
  end
  return count
end

-- Reports whether a function has at least three lines. A shorter function has little to test.
local function has_body(file, n)
  local indent, count = #file.lines[n]:match "^%s*", 0
  for at = n + 1, n + 200 do
    local line = file.lines[at]
    if not line then break end
    if line:find "%w" then
      if #line:match "^%s*" <= indent then break end
      count = count + 1
    end
  end
  return count >= least_body
end

-- Returns the names of new functions and the number of code lines that the change adds.
local function new_functions(change)
  local known, names, lines, first = {}, {}, 0, nil
  for _, file in ipairs(change.files) do
    for _, line in ipairs(file.removed) do known[function_in(file, line) or ""] = true end
    for n, line in pairs(file.lines) do
      if not file.touched[n] then known[function_in(file, line) or ""] = true end
    end
  end
  for _, file in ipairs(change.files) do
    if tests(file) then return {}, 0 end
    local before = #names
    for _, n in ipairs(file.source and not file.deleted and file.added or {}) do
      local name = not change_of.inside(file)[n] and function_in(file, file.lines[n])
      if name and not known[name] and has_body(file, n) then
        known[name], names[#names + 1] = true, name
        first = first or { file = file, n = n }
      end
    end
    if #names > before then lines = lines + work_lines(file) end
  end
  return names, lines, first
end

---@param change review.Change
function M.look(change, report)
  if change.whole or announced_neutral(change.facts) then return end
  local names, lines, first = new_functions(change)
  if #names == 0 or lines < least_lines or not repository_has_tests(change,
    first.file.d.language) then return end
  report("code-without-tests", first.file, first.n,
    ("%d new function%s came without any test."):format(#names, #names == 1 and "" or "s"), {
      evidence = m.findings.clip(table.concat(names, ", "), 200), severity = lines >= many_lines
        and "medium" or nil })
end

return M
