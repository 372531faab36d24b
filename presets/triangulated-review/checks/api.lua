--- Reports removed public names that are still used or exported, or that belong to a library's
--- interface.
local m = require "moonlet"
local text = require "moonlet.text"

local M = {}

M.checks = {
  { name = "removed-and-used", severity = "high", confidence = 0.85,
    help = "a public name was removed and is still imported or used",
    fix = "Keep it, or change its users in the same commit." },
  { name = "removed-and-exported", severity = "high", confidence = 0.85,
    help = "a name or file was removed and is still exported",
    fix = "Take it out of what is exported, or keep it." },
  { name = "public-name-removed", severity = "medium", confidence = 0.75,
    help = "a public name of a library is gone",
    fix = "Keep it for a while as a deprecated name, or say in the change log that it went." },
}

local JS = { "^export%s+default%s+async%s+function%s*%*?%s*([%a_$][%w_$]*)",
  "^export%s+async%s+function%s*([%a_$][%w_$]*)",
  "^export%s+default%s+function%s*%*?%s*([%a_$][%w_$]*)",
    "^export%s+function%s*%*?%s*([%a_$][%w_$]*)",
  "^export%s+%a*%s*class%s+([%a_$][%w_$]*)", "^export%s+class%s+([%a_$][%w_$]*)",
    "^export%s+const%s+([%a_$][%w_$]*)",
  "^export%s+let%s+([%a_$][%w_$]*)", "^export%s+interface%s+([%a_$][%w_$]*)",
    "^export%s+type%s+([%a_$][%w_$]*)",
  "^export%s+enum%s+([%a_$][%w_$]*)", "^exports%.([%a_$][%w_$]*)%s*=",
    "^module%.exports%.([%a_$][%w_$]*)%s*=" }
local JAVA = { "^%s*public%s+[%w%s<>,%[%]%.]-([%a_][%w_]*)%s*%(" }
local DEFINITIONS = {
  python = { "^class%s+(%a[%w_]*)", "^def%s+(%a[%w_]*)%s*%(", "^async%s+def%s+(%a[%w_]*)%s*%(" },
  javascript = JS, typescript = JS,
  go = { "^func%s+(%u[%w_]*)%s*[%(%[]", "^func%s+%([%w_]*%s*%*?%u[%w_%[%], ]*%)%s+(%u[%w_]*)%s*%(",
    "^type%s+(%u[%w_]*)%f[^%w_]" },
  rust = { "^pub%s+fn%s+([%w_]+)", "^pub%s+async%s+fn%s+([%w_]+)", "^pub%s+struct%s+([%w_]+)",
    "^pub%s+enum%s+([%w_]+)", "^pub%s+trait%s+([%w_]+)" },
  java = JAVA, csharp = JAVA, php = { "^%s*public%s+s?t?a?t?i?c?%s*function%s+(%a[%w_]*)" },
}
local INTERNAL = text.set [[internal private _internal impl detail details testutil testutils
  scripts tools ci build .github migrations cmd bin]]

local function defined(file, line)
  return #line < 1000 and text.first(line, DEFINITIONS[file.d.language] or {}) or nil
end

local function internal(file)
  for part in file.d.dir:lower():gmatch "[^/]+" do
    if INTERNAL[part] or part:find "^_[^_]" then return true end
  end
  return file.d.name:find "^_[^_]" ~= nil
end

-- Reports whether a file may define a package's public names.
-- In JavaScript, usually only the entry module does.
local function is_entry(file)
  local language = file.d.language
  if language ~= "javascript" and language ~= "typescript" then return true end
  return file.d.stem == "index" or file.d.stem == "main" or file.d.stem == "mod"
    or file.d.dir == "lib" or file.d.dir == "src"
end

-- Returns the words of the added code by file, and the names that the added code defines.
-- A removed name that an added line defines was only moved.
local function added_words(change)
  local words, again = {}, {}
  for _, file in ipairs(change.files) do
    local own = {}
    for _, n in ipairs(file.d.kind == "code" and file.added or {}) do
      local line = file.lines[n]:sub(1, 2000)
      if not line:find "^%s*[#/*]" then
        for word in line:gmatch "[%a_$][%w_$]*" do own[word], words[word] = true, true end
        again[defined(file, line) or ""] = true
      end
    end
    words[file] = own
  end
  return words, again
end

-- Reports whether an unchanged line of a file still defines, imports or exports a name.
local function still_there(file, name)
  local word = "%f[%w_$]" .. text.plain(name) .. "%f[^%w_$]"
  for n, line in pairs(file.lines) do
    if not file.touched[n] and line:find(word) and (defined(file, line) == name or line:find(word
      .. "%s*=[^=]")
      or line:find "^%s*import" or line:find "^%s*export" or line:find("[\"']" .. text.plain(name)
        .. "[\"']")) then
      return true
    end
  end
  return false
end

-- Returns the removed public names as {name, file, deprecated, mentioned}.
local function names_gone(change)
  local words, again = added_words(change)
  local list = {}
  for _, file in ipairs(change.files) do
    local seen = { main = true }
    for i, line in ipairs(file.source and (file.deleted or file.count) and file.removed or {}) do
      local name = defined(file, line)
      local moved = name and (again[name] or words[file][name])
      if name and not moved and not seen[name] and (file.deleted or not still_there(file,
        name)) then
        seen[name] = true
        local note = table.concat(file.removed, "\n", math.max(1, i - 4), math.min(#file.removed,
          i + 4))
        list[#list + 1] = { name = name, file = file, mentioned = words[name],
          deprecated = note:lower():find("deprecat", 1, true) }
      end
    end
  end
  return list
end

local most_names = 60

-- Searches all files of the reviewed version for the names. Iterates over the lines that contain a
-- name, and returns the path, the line number and the text of each.
local function uses(change, ctx, gone)
  local call, target, done = { "grep", "-n", "-z", "-w", "-I", "-F", "--full-name", "--no-color" },
    change.facts.target, {}
  for i = 1, math.min(#gone, most_names) do
    local name = gone[i].name
    if #name >= 4 and not done[name] then
      done[name] = true
      table.move({ "-e", name }, 1, 2, #call + 1, call)
    end
  end
  if not next(done) then return function() end end
  local commit = (target.kind == "commit" or target.kind == "range") and target.head
  if commit then
    call[#call + 1] = commit
  else
    call[#call + 1] = target.kind == "staged" and "--cached" or "--untracked"
  end
  call[#call + 1] = "--"
  local result = m.git.run(ctx, call, { cap = 4 << 20, clean = false })
  local each = result.stdout:gmatch "([^\n%z]+)%z(%d+)%z([^\n]*)"
  return function()
    local path, number, line = each()
    if path and commit then path = path:sub(#commit + 2) end
    return path, math.tointeger(number), line
  end
end

-- Reports whether a line uses the removed name, by importing it or after the name of its module.
local function uses_name(item, path, line)
  local file, name = item.file, "%f[%w_$]" .. text.plain(item.name) .. "%f[^%w_$]"
  local stem = text.plain(file.d.stem)
  local language = file.d.language
  if line:find "^%s*[#/*]" then return false end
  if language == "python" then
    return line:find("^%s*from%s+[%w_.]*%f[%w_]" .. stem .. "%s+import%s.*" .. name) ~= nil
      or line:find("%f[%w_]" .. stem .. "%." .. text.plain(item.name) .. "%f[^%w_]") ~= nil
  elseif language == "go" then
    local package = file.d.dir:match "[^/]*$"
    return package ~= "" and line:find("%f[%w_]" .. text.plain(package) .. "%." .. name) ~= nil
      or path:match "^(.*)/" == file.d.dir and line:find(name .. "%(") ~= nil
        and not line:find "^func"
  elseif language == "javascript" or language == "typescript" then
    local from = "[\"'][%w_./-]*" .. stem .. "[%w.]*[\"']"
    local whole = file.d.stem == "index" and line:find "[\"']%.?%.?/?[\"']" or line:find(from)
    return whole ~= nil and line:find(name) ~= nil and (line:find "import" or line:find "require"
      or line:find "export")
      and true or line:find("%f[%w_$]" .. stem .. "%." .. name) ~= nil
  elseif language == "rust" then
    return line:find("%f[%w_]" .. stem .. "::[%w_:{, ]*" .. name) ~= nil
  end
  return false
end

local SAME = { typescript = "javascript", javascript = "javascript" }

-- Returns true if both languages can use each other's names.
local function same_language(a, b) return a == b or SAME[a] and SAME[a] == SAME[b] end

-- Returns the uses of each removed name, in the order in which they were found.
local function uses_of(change, ctx, gone)
  local paths, by_name, found = require "moonlet.paths", {}, {}
  for i = 1, math.min(#gone, most_names) do
    local list = by_name[gone[i].name] or {}
    by_name[gone[i].name], list[#list + 1] = list, gone[i]
  end
  local cache = {}
  for path, number, line in uses(change, ctx, gone) do
    local d = paths.describe(path, cache)
    line = line:sub(1, 1000)
    for word in (d.kind == "code" and not d.generated and line or ""):gmatch "[%a_$][%w_$]*" do
      for _, item in ipairs(by_name[word] or {}) do
        if same_language(d.language, item.file.d.language) and path ~= item.file.path
          and uses_name(item, path, line) then
          local list = found[item] or {}
          found[item], list[#list + 1] = list, { path = path, number = number, line = line }
        end
      end
    end
  end
  return found
end

-- Formats the list of further files that use a name, without the file of the first use.
local function elsewhere(list)
  local files, seen = {}, { [list[1].path] = true }
  for _, use in ipairs(list) do
    if not seen[use.path] then
      seen[use.path] = true
      files[#files + 1] = ("%s:%d"):format(m.git.show_path(use.path, 80), use.number)
    end
  end
  local shown = table.concat(files, ", ", 1, math.min(#files, 3))
  if #files > 3 then return (", and in %s and %d more files"):format(shown, #files - 3) end
  return #files > 0 and ", and in " .. shown or ""
end

-- Reports each removed name at its first use.
local function still_used(change, ctx, gone, report)
  local found = uses_of(change, ctx, gone)
  for _, item in ipairs(gone) do
    local first = found[item] and found[item][1]
    if first then
      report(first.line:find "export" and "removed-and-exported" or "removed-and-used",
        change.by_path[first.path], first.number,
        ("`%s` was removed from %s and is still used here%s."):format(item.name,
          m.git.show_path(item.file.path, 120), elsewhere(found[item])),
        { path = first.path, evidence = m.findings.clip(text.trim(first.line), 200) })
    end
  end
  return found
end

-- Reports names in Python's __all__ that their file no longer defines.
local function exports(change, report)
  for _, file in ipairs(change.files) do
    local whole = file.count and file.d.language == "python" and not file.deleted
      and table.concat(file.lines, "\n")
    local list = whole and whole:match "%f[%w_]__all__%s*=%s*[%[(]([^%])]*)"
    for name in (list or ""):gmatch "[\"']([%w_]+)[\"']" do
      local gone = false
      for _, line in ipairs(file.removed) do gone = gone or defined(file, line) == name end
      local _, times = whole:gsub("%f[%w_]" .. name .. "%f[^%w_]", "")
      if gone and times == 1 then
        report("removed-and-exported", file, nil,
          ("`%s` was removed and still stands in __all__."):format(name))
      end
    end
  end
end

local function library_names(gone, used, report)
  local by_file, order = {}, {}
  for _, item in ipairs(gone) do
    if not used[item] and not item.mentioned and not internal(item.file)
      and is_entry(item.file) then
      if not by_file[item.file] then by_file[item.file], order[#order + 1] = {}, item.file end
      table.insert(by_file[item.file], item)
    end
  end
  for i, file in ipairs(order) do
    if i > 5 then return end
    local names, old = {}, true
    for k, item in ipairs(by_file[file]) do
      names[k], old = item.name, old and item.deprecated
    end
    local plural = #names > 1
    report("public-name-removed", file, nil, ("%s %s removed%s."):format(
      m.findings.clip(table.concat(names, ", "), 160), plural and "were" or "was",
      old and " (marked as deprecated before)" or ""), { severity = old and "low" or nil,
        evidence = "no line of the new text defines " .. (plural and "them" or "it") })
  end
end

---@param change review.Change
function M.look(change, report, ctx)
  if change.whole then return end
  exports(change, report)
  local gone = names_gone(change)
  if #gone == 0 then return end
  library_names(gone, change.tree and still_used(change, ctx, gone, report) or {}, report)
end

return M
