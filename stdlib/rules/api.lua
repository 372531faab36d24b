--- Rules about what others rely on: public names, flags and routes that went away, signatures that changed, versions
--- that are no longer supported.

local find, format, gsub, lower, match = string.find, string.format, string.gsub, string.lower, string.match

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

local INTERNAL = { internal = true, private = true, _internal = true, impl = true, detail = true, details = true, testutil = true,
  testutils = true, scripts = true, tools = true, ci = true, build = true, [".github"] = true, migrations = true, examples = true }

local function internal(view)
  for part in string.gmatch(lower(view.d.dir), "[^/]+") do
    if INTERNAL[part] or find(part, "^_[^_]") then return true end
  end
  return find(view.d.name, "^_[^_]") ~= nil
end

-- Modules of JavaScript export for each other too; what lies deep below the entry of a package is seldom its interface.
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

-- The public name that a line defines, and what kind of thing it is.
local function defined(view, text)
  local language = view.language
  if language == "python" then
    local kind, name = match(text, "^(class)%s+([%a][%w_]*)")
    if not name then name = match(text, "^def%s+([%a][%w_]*)%s*%(") or match(text, "^async%s+def%s+([%a][%w_]*)%s*%(") end
    if name then return name, kind and "class" or "function" end
    name = match(text, "^    def%s+([%a][%w_]*)%s*%(%s*self%f[^%w_]") or match(text, "^    async%s+def%s+([%a][%w_]*)%s*%(%s*self%f[^%w_]")
    return name, name and "method"
  elseif language == "go" then
    local name = match(text, "^func%s+(%u[%w_]*)%s*[%(%[]")
    if name then return name, "function" end
    name = match(text, "^func%s+%([%w_]*%s*%*?%u[%w_%[%], ]*%)%s+(%u[%w_]*)%s*%(")
    if name then return name, "method" end
    name = match(text, "^type%s+(%u[%w_]*)%f[^%w_]")
    return name, name and "type"
  elseif language == "javascript" or language == "typescript" then
    local rest = match(text, "^export%s+(.*)$")
    if rest then
      rest = gsub(gsub(rest, "^declare%s+", ""), "^abstract%s+", "")
      rest = gsub(rest, "^async%s+", "")
      local kind, name = match(rest, "^(%a+)%s*%*?%s+([%a_$][%w_$]*)")
      local kinds = { ["function"] = "function", class = "class", const = "value", let = "value", var = "value", interface = "type",
        type = "type", enum = "type" }
      if kinds[kind or ""] then return name, kinds[kind] end
      return nil
    end
    local name = match(text, "^%s*exports%.([%a_$][%w_$]*)%s*=") or match(text, "^%s*module%.exports%.([%a_$][%w_$]*)%s*=")
    return name, name and "value"
  elseif language == "rust" then
    local name = match(text, "^%s*pub%s+fn%s+([%w_]+)") or match(text, "^%s*pub%s+async%s+fn%s+([%w_]+)")
    if name then return name, "function" end
    name = match(text, "^pub%s+struct%s+([%w_]+)") or match(text, "^pub%s+enum%s+([%w_]+)") or match(text, "^pub%s+trait%s+([%w_]+)")
    return name, name and "type"
  elseif language == "java" or language == "csharp" then
    local name = match(text, "^%s*public%s+[%w%s<>,%[%]%.]-([%a_][%w_]*)%s*%(")
    return name, name and "method"
  elseif (language == "c" or language == "cpp") and (view.d.ext == "h" or view.d.ext == "hpp" or view.d.ext == "hh") then
    local name = match(text, "^[%a_][%w_%s%*]-[%s%*]([%a_][%w_]*)%s*%([^;{]*%)%s*;")
    return name, name and "function"
  elseif language == "php" then
    local name = match(text, "^%s*public%s+s?t?a?t?i?c?%s*function%s+([%a][%w_]*)")
    return name, name and "method"
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
  local plain = gsub(name, "%$", "%%$")
  for _, line in pairs(view.lines) do
    if not line.added and find(line.code, "%f[%w_$]" .. plain .. "%f[^%w_$]") then
      local definition = defined(view, line.text)
      if definition == name then return true end
      -- Exported or assigned under its name in another form.
      if find(line.text, "^%s*[%w_$]*%s*,?%s*$") or find(line.code, plain .. "%s*=") or find(line.code, "import") or find(line.code, "export") then
        return true
      end
    end
  end
  return false
end

-- What was only added after the last release cannot be missed; that is not known here, so a name in a line that was
-- removed together with a "deprecated" note is told apart.
local function was_deprecated(view, index)
  for i = math.max(1, index - 4), math.min(#view.removed, index + 4) do
    if find(lower(view.removed[i].text), "deprecat", 1, true) then return true end
  end
  return false
end

local function names_removed(change, report)
  local words = added_words(change)
  for _, view in ipairs(change.views) do
    if view.production and not view.script and not internal(view) and not deep(view)
      and not (view.language == "go" and find(view.path, "^cmd/")) then
      local gone, kinds, deprecated = {}, {}, {}
      for index, line in ipairs(view.removed) do
        local name, kind = defined(view, line.text)
        if name and not words[name] and name ~= "main" and not kinds[name] and (view.whole or view.status == "deleted")
          and not (view.status ~= "deleted" and still_there(view, name)) then
          gone[#gone + 1], kinds[name] = name, kind
          deprecated[name] = was_deprecated(view, index) or nil
        end
      end
      for i, name in ipairs(gone) do
        if i > 5 then
          report("public-name-removed", view, nil, format("%d more public names of this file were removed.", #gone - 5),
            { evidence = table.concat(gone, ", ", 6, math.min(#gone, 30)) })
          break
        end
        report("public-name-removed", view, nil, format("The public %s %s was removed%s.", kinds[name], name,
          deprecated[name] and " (it was marked as deprecated)" or ""), { evidence = format("%s is defined nowhere in the new text", name),
          severity = deprecated[name] and "low" or nil })
      end
    end
  end
end

-- Parameters of a signature that stands on one line: {name, required}.
local function parameters(text, language)
  local open = find(text, "%(")
  if language == "go" and find(text, "^func%s+%(") then open = find(text, "%(", (find(text, "%)"))) end
  local inner = open and match(text, "^(%b())", open)
  if not inner then return nil end
  inner = inner:sub(2, -2)
  if find(inner, "[{}]") and language ~= "python" then return nil end
  local list, depth, piece = {}, 0, ""
  local function push()
    piece = match(piece, "^%s*(.-)%s*$")
    if piece ~= "" then
      local name = match(piece, "^%*?%*?([%a_$][%w_$]*)") or piece
      local optional = find(piece, "=") or find(piece, "^%*") or find(piece, "^[%w_$]+%?") or find(piece, "^%.%.%.")
      list[#list + 1] = { name = name, required = not optional, text = piece }
    end
    piece = ""
  end
  for char in string.gmatch(inner, ".") do
    if find("([{<", char, 1, true) then depth = depth + 1 elseif find(")]}>", char, 1, true) then depth = depth - 1 end
    if char == "," and depth == 0 then push() else piece = piece .. char end
  end
  push()
  return list
end

local SIGNED = { python = true, typescript = true, javascript = true }

local function signatures(view, report)
  if not SIGNED[view.language] then return end
  local old = {}
  for _, line in ipairs(view.removed) do
    local name, kind = defined(view, line.text)
    if name and (kind == "function" or kind == "method") then
      old[name] = old[name] == nil and line.text or false
    end
  end
  local seen = {}
  for _, n in ipairs(view.added) do
    local text = view.lines[n].text
    local name = defined(view, text)
    if name and old[name] and not seen[name] and old[name] ~= text then
      seen[name] = true
      local before, now = parameters(old[name], view.language), parameters(text, view.language)
      if before and now then
        local had = {}
        for _, item in ipairs(before) do had[item.name] = true end
        local has = {}
        for _, item in ipairs(now) do has[item.name] = true end
        local missing, needed
        for _, item in ipairs(before) do
          if not has[item.name] and not find(item.name, "^_") and not find(item.text, "^%*") then missing = missing or item.name end
        end
        for _, item in ipairs(now) do
          if not had[item.name] and item.required and item.name ~= "self" then needed = needed or item.name end
        end
        local evidence = match(old[name], "^%s*(.-)%s*$"):sub(1, 160) .. "\n" .. match(text, "^%s*(.-)%s*$"):sub(1, 160)
        local renamed_only = missing and needed and #before == #now and view.language ~= "python"
        if needed and #now > #before then
          report("signature-changed", view, n, format("%s now needs the parameter %s: those who call it as before fail.", name, needed),
            { evidence = evidence })
        elseif missing and not renamed_only and (#now < #before or view.language == "python") then
          report("signature-changed", view, n, format("%s no longer takes the parameter %s.", name, missing), { evidence = evidence })
        end
      end
    end
  end
end

local FLAGS = { "add_argument%(.-[\"'](%-%-[%w-]+)[\"']", "[%w_.]*option%(%s*[\"'](%-%-[%w-]+)", "%.option%(%s*[\"'`][^\"'`]*(%-%-[%w-]+)",
  "long%s*=%s*\"([%w-]+)\"", "flag%.%a+%(%s*[&%w_.]*,?%s*\"([%w-]+)\"", "Flags%(%)%.%a+%(%s*[&%w_.]*,?%s*\"([%w-]+)\"" }

local ROUTES = { "^%s*@[%w_]+%.route%(%s*[\"']([^\"']+)", "^%s*@[%w_]+%.[gpd][eoua][tsel]t?e?%(%s*[\"'](/[^\"']*)",
  "^%s*[%w_]*[rR]outer%.[gpd][eoua][tsel]t?e?%(%s*[\"'`](/[^\"'`]*)", "^%s*app%.[gpd][eoua][tsel]t?e?%(%s*[\"'`](/[^\"'`]*)",
  "^%s*[%w_]+%.[GPD][EOUA][TSEL]T?E?%(%s*\"(/[^\"]*)", "HandleFunc%(%s*\"(/[^\"]*)" }

local function gone(view, text, words)
  for _, n in ipairs(view.added) do
    if find(view.lines[n].text, text, 1, true) then return false end
  end
  for _, other in pairs(view.lines) do
    if not other.added and find(other.text, "[\"'`]" .. gsub(text, "%p", "%%%0") .. "[\"'`,:/]") then return false end
  end
  return not words(text)
end

local function interfaces(change, report)
  local function elsewhere(text)
    for _, view in ipairs(change.views) do
      if view.d.kind == "code" then
        for _, n in ipairs(view.added) do
          if find(view.lines[n].text, text, 1, true) then return true end
        end
      end
    end
    return false
  end
  for _, view in ipairs(change.views) do
    if view.production and view.d.kind == "code" then
      for _, line in ipairs(view.removed) do
        if #line.text < 1000 and not find(line.text, "^%s*[/#*]") then
          for _, pattern in ipairs(FLAGS) do
            local flag = match(line.text, pattern)
            if flag and #flag > 1 and gone(view, flag, elsewhere) then
              report("flag-removed", view, nil, format("The command-line flag %s was removed.",
                find(flag, "^%-") and flag or "--" .. flag), { evidence = match(line.text, "^%s*(.-)%s*$"):sub(1, 160) })
              break
            end
          end
          for _, pattern in ipairs(ROUTES) do
            local route = match(line.text, pattern)
            if route and gone(view, route, elsewhere) then
              report("route-removed", view, nil, format("The route %s was removed.", route:sub(1, 80)),
                { evidence = match(line.text, "^%s*(.-)%s*$"):sub(1, 160) })
              break
            end
          end
        end
      end
    end
  end
end

local LEAST = {
  { "^go%.mod$", "^go%s+([%d.]+)", "Go" }, { "^pyproject%.toml$", "^requires%-python%s*=%s*[\"'][>=~^ ]*([%d.]+)", "Python" },
  { "^setup%.py$", "python_requires%s*=%s*[\"'][>=~^ ]*([%d.]+)", "Python" }, { "^setup%.cfg$", "python_requires%s*=%s*[>=~^ ]*([%d.]+)", "Python" },
  { "^package%.json$", "\"node\"%s*:%s*\"[>=~^ ]*([%d.]+)", "Node" }, { "^Cargo%.toml$", "rust%-version%s*=%s*\"([%d.]+)", "Rust" },
  { "^CMakeLists%.txt$", "cmake_minimum_required%s*%(%s*VERSION%s+([%d.]+)", "CMake" },
  { "^pyproject%.toml$", "^python%s*=%s*[\"'][>=~^ ]*([%d.]+)", "Python" },
}

local function higher(a, b)
  local left, right = {}, {}
  for part in string.gmatch(a, "%d+") do left[#left + 1] = tonumber(part) end
  for part in string.gmatch(b, "%d+") do right[#right + 1] = tonumber(part) end
  for i = 1, 2 do
    local x, y = left[i] or 0, right[i] or 0
    if x ~= y then return x > y end
  end
  return false
end

local function least_versions(view, report)
  for _, item in ipairs(LEAST) do
    if find(view.d.name, item[1]) then
      local old
      for _, line in ipairs(view.removed) do old = old or match(line.text, item[2]) end
      for _, n in ipairs(view.added) do
        local new = match(view.lines[n].text, item[2])
        if old and new and higher(new, old) then
          report("least-version-raised", view, n, format("%s %s is needed now; it was %s. Users of older versions are left behind.", item[3],
            new, old))
        end
      end
    end
  end
end

function M.change(change, report)
  if change.whole_files then return end
  names_removed(change, report)
  interfaces(change, report)
  for _, view in ipairs(change.views) do
    if not view.test and not view.example then
      if view.production and not view.script and not internal(view) and not deep(view) then signatures(view, report) end
      least_versions(view, report)
    end
  end
end

return M
