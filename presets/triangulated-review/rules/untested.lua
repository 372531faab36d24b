--- A rule about a change as a whole: new code that came without any test.

local git = require "moonlet.git"
local paths = require "moonlet.paths"
local shape = require "moonlet.text"
local source = require "rules.source"
local V = require "rules.view"

local concat = table.concat
local find, format, gsub, lower, sub = string.find, string.format, string.gsub, string.lower, string.sub

local M = {}

M.rules = {
  ["code-without-tests"] = { lenses = { "tests", "risks" }, severity = "low", confidence = 0.8,
    fix = "Add a test that fails without this change." },
}

-- New functions want a test from so many lines on; changes of old ones, which a test may cover, from many more.
local least_lines, least_changed, many_lines = 4, 25, 60

-- Lines without an action: imports, declarations of types, decorations.
local NOTHING = { "^%s*import%s", "^%s*from%s", "^%s*#include", "^%s*use%s", "^%s*package%s", "^%s*export%s+%*",
  "^%s*export%s*{", "^%s*export%s+type%s", "^%s*require", "^%s*interface%s", "^%s*@[%w_.]+%s*$",
  "^%s*[%w_]+%s*:%s*[%w_|%[%]]+[,;]?%s*$", "^%s*type%s" }

local function works(code) return find(code, "%w") ~= nil and not shape.any(code, NOTHING) end

local function bare(code) return (gsub(code, "%s+", "")) end

-- The lines of work that a file gained, and the surplus over its losses: a lost comment or a moved line does not
-- count.
local function gained(view)
  local texts, old, lost = {}, {}, 0
  for i, line in ipairs(view.removed) do texts[i] = sub(line.text, 1, 2000) end
  for _, line in ipairs(source.lex(texts, view.language)) do
    if works(line.code) then
      lost = lost + 1
      old[bare(line.code)] = true
    end
  end
  local count = 0
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if line.inside == nil and works(line.code) then
      if old[bare(line.code)] then lost = lost - 1 else count = count + 1 end
    end
  end
  return count, count - math.max(0, lost)
end

-- The shapes of lines that begin a function which others can call, by family.
local FUNCTIONS = {
  python = { "^def%s+(%a[%w_]*)", "^async%s+def%s+(%a[%w_]*)", "^    def%s+(%a[%w_]*)%s*%(%s*[sc][el][ls]f?",
    "^    async%s+def%s+(%a[%w_]*)" },
  javascript = { "^export%s+default%s+function%s+([%w_$]+)", "^export%s+async%s+function%s+([%w_$]+)",
    "^export%s+function%s*%*?%s*([%w_$]+)", "^export%s+const%s+([%w_$]+)%s*[:=].*=>", "^export%s+class%s+([%w_$]+)",
    "^function%s*%*?%s*([%w_$]+)", "^async%s+function%s+([%w_$]+)", "^const%s+([%w_$]+)%s*=.*=>%s*{?%s*$",
    "^class%s+([%w_$]+)", "^%s*e?x?p?o?r?t?s?%.?[%w_$.]*%.([%w_$]+)%s*=%s*function", "^  async%s+([%w_$]+)%s*%(.*{%s*$",
    "^  ([%a_$][%w_$]*)%s*%([^;=]*%)[^;=]*{%s*$" },
  go = { "^func%s+([%w_]+)%s*[%(%[]", "^func%s+%b()%s*([%w_]+)%s*%(" },
  rust = { "^%s*pub%s+fn%s+([%w_]+)", "^%s*pub%s+async%s+fn%s+([%w_]+)", "^%s*pub%s+const%s+fn%s+([%w_]+)" },
  java = { "^%s*public%s+[%w%s<>,%[%]%.]-([%a_][%w_]*)%s*%([^;]*$", "^%s*fun%s+([%a_][%w_]*)%s*[%(<]" },
  csharp = { "^%s*public%s+[%w%s<>,%[%]%.]-([%a_][%w_]*)%s*%([^;]*$" },
  cpp = { "^[%a_][%w_%s%*&:<>]-[%s%*&:]([%a_][%w_]*)%s*%([^;]*$" },
  ruby = { "^%s*def%s+self%.([%w_?!]+)", "^%s*def%s+([%w_?!]+)" },
  php = { "^%s*public%s+function%s+([%w_]+)", "^%s*public%s+static%s+function%s+([%w_]+)", "^function%s+([%w_]+)" },
  lua = { "^function%s+[%w_.:]-([%w_]+)%s*%(", "^local%s+function%s+([%w_]+)" },
}
local NO_FUNCTION = shape.set [[if for while switch return else main constructor initialize catch sizeof defined
  static String toString Error hashCode equals to_s inspect]]

local function begins_function(view, text)
  local name = shape.first(text, FUNCTIONS[view.family] or {})
  if not name or NO_FUNCTION[name] or find(text, "^%s*#")
    or view.family == "cpp" and (find(text, "^static%s") or not find(name, "%l")) then
    return nil
  end
  return name
end

-- The functions that the change brought and that had no such name before.
local function new_functions(change, views)
  local known, names = {}, {}
  for _, view in ipairs(change.views) do
    for _, line in ipairs(view.removed) do known[begins_function(view, line.text) or ""] = true end
    -- A further form of an existing function is no new one.
    for _, line in pairs(view.lines) do
      if not line.added and #line.text < 1000 then known[begins_function(view, line.text) or ""] = true end
    end
  end
  for _, view in ipairs(views) do
    for _, n in ipairs(view.added) do
      local line = view.lines[n]
      local name = not line.inside and not line.moved and #line.text < 1000 and begins_function(view, line.text)
      if name and not known[name] then
        known[name] = true
        names[#names + 1] = name
      end
    end
  end
  return names
end

local NO_TESTS = shape.set [[css html docker make cmake starlark terraform proto sql meson ninja nix mdx template shell
  batch graphql groovy notebook gomod]]

-- Words with which people announce a change without new behaviour.
local NEUTRAL = { "refactor", "^chore", "^style", "^docs?[:(%s]", "^build[:(]", "^ci[:(]", "^tests?[:(]", "^revert",
  "optimi[sz]", "^perf", "fast path", "speed ?up", "^bump", "^lint", "^format", "^rename", "^types?[:(]", "^typo",
  "simplif", "streamlin", "readab", "reorgani", "restructur", "^extract%s", "^split%s", "^tidy", "^move%s",
  "^release", "^merge%s", "clean ?ups?", "typing", "formatting", "no functional change", "^reformat", "^deps",
  "^inline%s" }

local function announced_neutral(facts)
  local subjects = facts.subjects or {}
  for _, subject in ipairs(subjects) do
    if not shape.any(lower(subject), NEUTRAL) then return false end
  end
  return #subjects > 0
end

local TEST_PATHS = { "test", "%f[%a]specs?%f[^%a]", "fixture", "snapshot", "%f[%a]e2e%f[^%a]", "golden",
  "%.feature$", "%f[%a]features/", "%f[%a]cypress%f[^%a]" }

-- True for a test, its data, or any other file with a path about tests.
local function about_tests(view)
  return view.test or view.d.kind ~= "docs" and shape.any(lower(view.path), TEST_PATHS) ~= nil
end

local function wants_tests(view)
  return view.production and not view.script and not view.d.in_docs and not NO_TESTS[view.language]
    and view.status ~= "deleted" and not find(view.path, "%.d%.ts$") and not find(lower(view.d.name), "config")
end

local TESTS_INSIDE = { "#%[%w*:?:?test%]", "#%[cfg%(test%)%]", "^%s*>>> ", "^%s*TEST[%w_]*%s*%(", "%f[%w_]test_%w+%(" }

-- Tests that stand in the file they test.
local function adds_tests_inside(view)
  for _, n in ipairs(view.added) do
    if shape.any(view.lines[n].text, TESTS_INSIDE) then return true end
  end
  return false
end

local function repository_has_tests(change, language)
  local cache = {}
  for _, path in ipairs(change.tree_list or {}) do
    local d = paths.describe(path, cache)
    if d.test and d.kind == "code" and not d.generated and V.family(d.language) == language then return true end
  end
  return false
end

-- The code that the change gained and that wants tests; nil if it touches tests.
local function survey(change)
  local sum = { lines = 0, net = 0, files = {}, views = {}, most = 0 }
  for _, view in ipairs(change.views) do
    if about_tests(view) then return nil end
    if wants_tests(view) then
      if adds_tests_inside(view) then return nil end
      local count, more = gained(view)
      sum.lines, sum.net = sum.lines + count, sum.net + more
      if count > 0 then
        sum.files[#sum.files + 1] = git.show_path(view.path, 120)
        sum.views[#sum.views + 1] = view
      end
      if count > sum.most then sum.first, sum.most = view, count end
    end
  end
  return sum
end

local function plural(number, one) return format("%d %s%s", number, one, number == 1 and "" or "s") end

local function report_functions(sum, names, report)
  local only = #sum.views == 1 and sum.views[1] or nil
  report("code-without-tests", only, nil,
    format("%s came without any test (%s of new code in %s).", plural(#names, "new function"),
      plural(sum.lines, "line"), plural(#sum.files, "file")), {
      evidence = format("%s\nin %s", concat(names, ", ", 1, math.min(#names, 12)),
        concat(sum.files, ", ", 1, math.min(#sum.files, 10))),
      severity = sum.net >= many_lines and "medium" or "low",
    })
end

function M.change(change, report)
  if change.whole_files or announced_neutral(change.facts) then return end
  local sum = survey(change)
  if not sum or sum.net < least_lines or not repository_has_tests(change, sum.first.family) then return end
  local names = new_functions(change, sum.views)
  if #names > 0 then
    report_functions(sum, names, report)
  elseif sum.net >= least_changed then
    report("code-without-tests", nil, nil,
      format("%s of new code in %s, and no test was added or changed.", plural(sum.lines, "line"),
        plural(#sum.files, "file")),
      { evidence = concat(sum.files, "\n", 1, math.min(#sum.files, 10)),
        question = "tests that are there already may cover what changed" })
  end
end

return M
