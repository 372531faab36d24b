--- Rules about interfaces: public names, flags and routes that went away, signatures that changed, versions that are
--- no longer supported.

local git = require "moonlet.git"
local shape = require "moonlet.text"
local V = require "rules.view"

local find, format, gsub, lower, match, sub = string.find, string.format, string.gsub, string.lower, string.match,
  string.sub

local M = {}

M.rules = {
  ["public-name-removed"] = { lenses = { "compatibility", "risks" }, severity = "medium", confidence = 0.75,
    fix = "Keep it for a while as a deprecated name, or say in the change log that it went." },
  ["signature-changed"] = { lenses = { "compatibility", "risks" }, severity = "medium", confidence = 0.8,
    fix = "Give the new parameter a default, or add a function beside the old one." },
  ["flag-removed"] = { lenses = { "compatibility", "risks" }, severity = "high", confidence = 0.85,
    fix = "Accept it for a while with a warning." },
  ["route-removed"] = { lenses = { "compatibility", "risks" }, severity = "high", confidence = 0.8,
    fix = "Keep it, or answer with a redirect." },
  ["least-version-raised"] = { lenses = { "compatibility", "risks" }, severity = "medium", confidence = 0.9,
    fix = "Say so in the change log; it may call for a new major version." },
}

local INTERNAL = shape.set [[internal private _internal impl detail details testutil testutils scripts tools ci build
  .github migrations examples]]

local function internal(view)
  for part in string.gmatch(lower(view.d.dir), "[^/]+") do
    if INTERNAL[part] or find(part, "^_[^_]") then return true end
  end
  return find(view.d.name, "^_[^_]") ~= nil
end

-- Modules of JavaScript export for each other too; a module deep below the entry of a package is seldom its
-- interface.
local function deep(view)
  if view.language ~= "javascript" and view.language ~= "typescript" then return false end
  if find(view.d.name, "^index%.") or find(view.d.name, "^mod%.") or find(view.d.name, "^main%.") then return false end
  local dir = gsub(view.d.dir, "^packages/[^/]+/?", "")
  local depth = 0
  for part in string.gmatch(dir, "[^/]+") do
    if part ~= "src" and part ~= "lib" then depth = depth + 1 end
  end
  return depth > 1
end

-- The shapes of lines that define something public, and its kind.
local RUST = { { "^%s*pub%s+fn%s+([%w_]+)", "function" }, { "^%s*pub%s+async%s+fn%s+([%w_]+)", "function" },
  { "^pub%s+struct%s+([%w_]+)", "type" }, { "^pub%s+enum%s+([%w_]+)", "type" }, { "^pub%s+trait%s+([%w_]+)", "type" } }
local PUBLIC_METHOD = { { "^%s*public%s+[%w%s<>,%[%]%.]-([%a_][%w_]*)%s*%(", "method" } }
local DEFINITIONS = {
  python = {
    { "^class%s+([%a][%w_]*)", "class" }, { "^def%s+([%a][%w_]*)%s*%(", "function" },
    { "^async%s+def%s+([%a][%w_]*)%s*%(", "function" },
    { "^    def%s+([%a][%w_]*)%s*%(%s*self%f[^%w_]", "method" },
    { "^    async%s+def%s+([%a][%w_]*)%s*%(%s*self%f[^%w_]", "method" },
  },
  go = {
    { "^func%s+(%u[%w_]*)%s*[%(%[]", "function" },
    { "^func%s+%([%w_]*%s*%*?%u[%w_%[%], ]*%)%s+(%u[%w_]*)%s*%(", "method" },
    { "^type%s+(%u[%w_]*)%f[^%w_]", "type" },
  },
  rust = RUST, java = PUBLIC_METHOD, csharp = PUBLIC_METHOD,
  php = { { "^%s*public%s+s?t?a?t?i?c?%s*function%s+([%a][%w_]*)", "method" } },
}
local C_HEADER = { { "^[%a_][%w_%s%*]-[%s%*]([%a_][%w_]*)%s*%([^;{]*%)%s*;", "function" } }
local HEADERS = shape.set "h hpp hh"

local EXPORTED = { ["function"] = "function", class = "class", const = "value", let = "value", var = "value",
  interface = "type", type = "type", enum = "type" }
local COMMONJS = { "^%s*exports%.([%a_$][%w_$]*)%s*=", "^%s*module%.exports%.([%a_$][%w_$]*)%s*=" }

local function exported(text)
  local rest = match(text, "^export%s+(.*)$")
  if not rest then
    local name = shape.first(text, COMMONJS)
    return name, name and "value"
  end
  rest = gsub(gsub(gsub(rest, "^declare%s+", ""), "^abstract%s+", ""), "^async%s+", "")
  local word, name = match(rest, "^(%a+)%s*%*?%s+([%a_$][%w_$]*)")
  return EXPORTED[word or ""] and name, EXPORTED[word or ""]
end

-- The public name that a line defines, and its kind.
local function defined(view, text)
  local language = view.language
  if language == "javascript" or language == "typescript" then return exported(text) end
  -- Headers elsewhere are for the program itself.
  local header = view.family == "cpp" and HEADERS[view.d.ext] and find("/" .. view.d.dir .. "/", "/include/", 1, true)
  local list = header and C_HEADER or DEFINITIONS[language] or {}
  for _, item in ipairs(list) do
    local name = match(text, item[1])
    if name then return name, item[2] end
  end
  return nil
end

-- All words of the new lines of the change: a name that is still written somewhere was moved, not removed.
local function added_words(change)
  local words = {}
  for _, view in ipairs(change.views) do
    if view.d.kind == "code" and not view.generated then
      for _, n in ipairs(view.added) do
        local line = view.lines[n]
        if line.comment == "" or find(line.code, "%S") then
          for word in string.gmatch(line.code, "[%a_$][%w_$]*") do words[word] = true end
        end
      end
    end
  end
  return words
end

local function still_there(view, name)
  -- A module may give out names that it keeps as text, with a warning.
  local quoted = "[\"']" .. shape.plain(name) .. "[\"']"
  for _, line in pairs(view.lines) do
    if find(line.text, quoted) then return true end
  end
  local word = "%f[%w_$]" .. shape.plain(name) .. "%f[^%w_$]"
  -- Exported or assigned under its name in another form.
  local forms = { word .. "%s*=", "import", "export" }
  for _, line in pairs(view.lines) do
    if not line.added and find(line.code, word) then
      local again = defined(view, line.text) == name or find(line.text, "^%s*[%w_$]*%s*,?%s*$")
      if again or shape.any(line.code, forms) then return true end
    end
  end
  return false
end

-- True if a "deprecated" note was removed with a name. A name that was added after the last release cannot be missed
-- either, but releases are not known here.
local function was_deprecated(view, index)
  for i = math.max(1, index - 4), math.min(#view.removed, index + 4) do
    if find(lower(view.removed[i].text), "deprecat", 1, true) then return true end
  end
  return false
end

local function has_interface(view, change)
  if V.of_program(view, change) then return false end
  return view.production and not view.script and not internal(view) and not deep(view)
    and not (view.language == "go" and find(view.path, "^cmd/"))
end

-- The public names of a file that are gone: { name, kind, deprecated }.
local function names_gone(view, words)
  local list, seen = {}, { main = true }
  if not view.whole and view.status ~= "deleted" then return list end
  for index, line in ipairs(view.removed) do
    local name, kind = defined(view, line.text)
    if name and not words[name] and not seen[name] and (view.status == "deleted" or not still_there(view, name)) then
      seen[name] = true
      list[#list + 1] = { name = name, kind = kind, deprecated = was_deprecated(view, index) }
    end
  end
  return list
end

local most_names = 5

local function report_file(view, gone, report)
  local names = {}
  for i = 1, math.min(#gone, 30) do names[i] = gone[i].name end
  report("public-name-removed", view, nil, format("The file went, and %d public names with it.", #gone),
    { evidence = table.concat(names, ", ") })
end

local function report_names(view, gone, report)
  if view.status == "deleted" and #gone > 1 then return report_file(view, gone, report) end
  for i = 1, math.min(#gone, most_names) do
    local item = gone[i]
    report("public-name-removed", view, nil, format("The public %s %s was removed%s.", item.kind, item.name,
      item.deprecated and " (it was marked as deprecated)" or ""), {
        evidence = format("%s is defined nowhere in the new text", item.name),
        severity = item.deprecated and "low" or nil,
      })
  end
  if #gone > most_names then
    local names = {}
    for i = most_names + 1, math.min(#gone, 30) do names[#names + 1] = gone[i].name end
    report("public-name-removed", view, nil,
      format("%d more public names of this file were removed.", #gone - most_names),
      { evidence = table.concat(names, ", ") })
  end
end

local most_files = 5

-- Names that went from many files are one finding.
local function report_many(list, report)
  local count, files = 0, {}
  for i, item in ipairs(list) do
    count = count + #item.gone
    files[i] = git.show_path(item.view.path, 120)
  end
  report("public-name-removed", nil, nil, format("%d public names were removed from %d files.", count, #list),
    { evidence = table.concat(files, "\n", 1, math.min(#files, 10)) })
end

local function names_removed(change, report)
  local words, list = added_words(change), {}
  for _, view in ipairs(change.views) do
    local gone = has_interface(view, change) and names_gone(view, words) or {}
    if #gone > 0 then list[#list + 1] = { view = view, gone = gone } end
  end
  if #list > most_files then return report_many(list, report) end
  for _, item in ipairs(list) do report_names(item.view, item.gone, report) end
end

-- A parameter as it is written.
local function parameter(text)
  text = shape.trim(text)
  if text == "" then return nil end
  local optional = find(text, "=") or find(text, "^%*") or find(text, "^[%w_$]+%?") or find(text, "^%.%.%.")
  return { name = match(text, "^%*?%*?([%a_$][%w_$]*)") or text, required = not optional, text = text }
end

-- The parameters of a signature on one line; nil if they cannot be read.
local function parameters(text, language)
  local open = find(text, "%(")
  local inner = open and match(text, "^(%b())", open)
  if not inner then return nil end
  inner = sub(inner, 2, -2)
  if find(inner, "[{}]") and language ~= "python" then return nil end
  local list, depth, from = {}, 0, 1
  for at, char in string.gmatch(inner .. ",", "()([%(%)%[%]{}<>,])") do
    if char == "," and depth == 0 then
      list[#list + 1] = parameter(sub(inner, from, at - 1))
      from = at + 1
    elseif char ~= "," then
      depth = depth + (find("([{<", char, 1, true) and 1 or -1)
    end
  end
  return list
end

local function names_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item.name] = true end
  return set
end

-- The first parameter that callers passed and no longer can, and the first that they now have to.
local function difference(before, now)
  local had, has = names_of(before), names_of(now)
  local missing, needed
  for _, item in ipairs(before) do
    if not has[item.name] and not find(item.text, "^[_*]") then missing = missing or item.name end
  end
  for _, item in ipairs(now) do
    if not had[item.name] and item.required and item.name ~= "self" then needed = needed or item.name end
  end
  return missing, needed
end

local function compare(view, n, name, old, new, report)
  local before, now = parameters(old, view.language), parameters(new, view.language)
  if not before or not now then return end
  local missing, needed = difference(before, now)
  local renamed_only = missing and needed and #before == #now and view.language ~= "python"
  local opts = { evidence = sub(shape.trim(old), 1, 160) .. "\n" .. sub(shape.trim(new), 1, 160) }
  if needed and #now > #before then
    report("signature-changed", view, n,
      format("%s now needs the parameter %s: those who call it as before fail.", name, needed), opts)
  elseif missing and not renamed_only and (#now < #before or view.language == "python") then
    report("signature-changed", view, n, format("%s no longer takes the parameter %s.", name, missing), opts)
  end
end

local SIGNED = shape.set "python typescript javascript"

local function signatures(view, report)
  if not SIGNED[view.language] then return end
  local old = {}
  for _, line in ipairs(view.removed) do
    local name, kind = defined(view, line.text)
    -- A name that stands twice is ambiguous.
    if name and (kind == "function" or kind == "method") then old[name] = old[name] == nil and line.text or false end
  end
  for _, n in ipairs(view.added) do
    local text = view.lines[n].text
    local name = defined(view, text)
    local before = name and old[name]
    if before and before ~= text then
      old[name] = false
      compare(view, n, name, before, text, report)
    end
  end
end

local FLAGS = { "add_argument%(.-[\"'](%-%-[%w-]+)[\"']", "[%w_.]*option%(%s*[\"'](%-%-[%w-]+)",
  "%.option%(%s*[\"'`][^\"'`]*(%-%-[%w-]+)", "long%s*=%s*\"([%w-]+)\"", "flag%.%a+%(%s*[&%w_.]*,?%s*\"([%w-]+)\"",
  "Flags%(%)%.%a+%(%s*[&%w_.]*,?%s*\"([%w-]+)\"" }

local ROUTES = { "^%s*@[%w_]+%.route%(%s*[\"']([^\"']+)", "^%s*[%w_]+%.[GPD][EOUA][TSEL]T?E?%(%s*\"(/[^\"]*)",
  "HandleFunc%(%s*\"(/[^\"]*)" }
for _, verb in ipairs { "get", "post", "put", "delete", "patch" } do
  ROUTES[#ROUTES + 1] = "^%s*@[%w_]+%." .. verb .. "%(%s*[\"'](/[^\"']*)"
  ROUTES[#ROUTES + 1] = "^%s*[%w_]*[rR]outer%." .. verb .. "%(%s*[\"'`](/[^\"'`]*)"
  ROUTES[#ROUTES + 1] = "^%s*app%." .. verb .. "%(%s*[\"'`](/[^\"'`]*)"
end

-- True if a text stands in a line that was added anywhere in the change.
local function added_somewhere(change, text)
  for _, view in ipairs(change.views) do
    for _, n in ipairs(view.d.kind == "code" and view.added or {}) do
      if find(view.lines[n].text, text, 1, true) then return true end
    end
  end
  return false
end

local function gone(change, view, text)
  if added_somewhere(change, text) then return false end
  local quoted = "[\"'`]" .. shape.plain(text) .. "[\"'`,:/]"
  for _, other in pairs(view.lines) do
    if not other.added and find(other.text, quoted) then return false end
  end
  return true
end

local function interface_line(change, view, line, report)
  local evidence = { evidence = sub(shape.trim(line.text), 1, 160) }
  local flag = shape.first(line.text, FLAGS)
  if flag and #flag > 1 and gone(change, view, flag) then
    local shown = find(flag, "^%-") and flag or "--" .. flag
    report("flag-removed", view, nil, format("The command-line flag %s was removed.", shown), evidence)
  end
  local route = shape.first(line.text, ROUTES)
  if route and gone(change, view, route) then
    report("route-removed", view, nil, format("The route %s was removed.", sub(route, 1, 80)), evidence)
  end
end

local function interfaces(change, report)
  for _, view in ipairs(change.views) do
    for _, line in ipairs(view.production and not view.for_developers and view.removed or {}) do
      if #line.text < 1000 and not find(line.text, "^%s*[/#*]") then
        interface_line(change, view, line, report)
      end
    end
  end
end

local LEAST = {
  { "^go%.mod$", "^go%s+([%d.]+)", "Go" },
  { "^pyproject%.toml$", "^requires%-python%s*=%s*[\"'][>=~^ ]*([%d.]+)", "Python" },
  { "^pyproject%.toml$", "^python%s*=%s*[\"'][>=~^ ]*([%d.]+)", "Python" },
  { "^setup%.py$", "python_requires%s*=%s*[\"'][>=~^ ]*([%d.]+)", "Python" },
  { "^setup%.cfg$", "python_requires%s*=%s*[>=~^ ]*([%d.]+)", "Python" },
  { "^package%.json$", "\"node\"%s*:%s*\"[>=~^ ]*([%d.]+)", "Node" },
  { "^Cargo%.toml$", "rust%-version%s*=%s*\"([%d.]+)", "Rust" },
  { "^CMakeLists%.txt$", "cmake_minimum_required%s*%(%s*VERSION%s+([%d.]+)", "CMake" },
}

local function numbers_in(text)
  local list = {}
  for part in string.gmatch(text, "%d+") do list[#list + 1] = tonumber(part) end
  return list
end

local function higher(a, b)
  local left, right = numbers_in(a), numbers_in(b)
  for i = 1, 2 do
    local x, y = left[i] or 0, right[i] or 0
    if x ~= y then return x > y end
  end
  return false
end

local function least_version(view, pattern, name, report)
  local old
  for _, line in ipairs(view.removed) do old = old or match(line.text, pattern) end
  for _, n in ipairs(old and view.added or {}) do
    local new = match(view.lines[n].text, pattern)
    if new and higher(new, old) then
      report("least-version-raised", view, n,
        format("%s %s is needed now; it was %s. Users of older versions are left behind.", name, new, old))
    end
  end
end

local function least_versions(view, report)
  for _, item in ipairs(LEAST) do
    if find(view.d.name, item[1]) then least_version(view, item[2], item[3], report) end
  end
end

function M.change(change, report)
  if change.whole_files then return end
  names_removed(change, report)
  interfaces(change, report)
  for _, view in ipairs(change.views) do
    if not view.test and not view.example then
      if has_interface(view, change) then signatures(view, report) end
      least_versions(view, report)
    end
  end
end

return M
