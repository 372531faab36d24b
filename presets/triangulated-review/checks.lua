--- Runs the checks of the diff. Each check has a name that switches it on or off.
local m = require "moonlet"
local change_of = require "change"

local M = {}

local GROUPS = { "api", "versions", "locks", "untested", "docs", "leftovers", "secrets" }
local most_per_file = 10

local loaded

--- Returns all checks. They load at the first call, so that a list of presets stays fast.
---@return table<string, table> by_name  { name, help, severity, confidence, fix }
---@return string[] names                in listing order
---@return table[] groups                { name, look }
function M.all()
  if not loaded then
    local by_name, names, groups = {}, {}, {}
    for _, name in ipairs(GROUPS) do
      local group = require("checks." .. name)
      groups[#groups + 1] = { name = name, look = group.look }
      for _, check in ipairs(group.checks) do
        by_name[check.name], names[#names + 1] = check, check.name
      end
    end
    loaded = { by_name, names, groups }
  end
  return loaded[1], loaded[2], loaded[3]
end

--- Parses the words of --diff-checks. A name selects a check, and a name after "-" switches it off.
---@return table<string, boolean> on
---@return string? wrong  the first word that is not the name of a check
function M.chosen(words)
  local on, only = {}, false
  local by_name, names = M.all()
  for _, word in ipairs(words) do
    local name = word:gsub("^%-", "")
    if word ~= "list" and word ~= "all" and word ~= "none" and not by_name[name] then
      return on, word
    end
    only = only or by_name[word] ~= nil or word == "none"
  end
  for _, name in ipairs(names) do on[name] = not only end
  for _, word in ipairs(words) do
    local off = word:match "^%-(.+)$"
    if off then on[off] = false elseif by_name[word] then on[word] = true end
    if word == "all" then for _, name in ipairs(names) do on[name] = true end end
  end
  return on, nil
end

-- Reports whether a comment on the line, or on the line before it, switches the check off.
local function ignored(file, n, name)
  for _, line in ipairs { file.lines[n] or "", file.lines[n - 1] or "" } do
    local names = line:sub(1, 2000):match "moonlet:%s*ignore%f[%W]%s*([%w%-, ]*)"
    if names and (not names:find "%w" or (" " .. names:gsub(",", " ") .. " "):find(" " .. name
      .. " ", 1, true)) then
      return true
    end
  end
  return false
end

-- Returns an empty list, and a function with which the checks add findings to the list.
local function reporter(on)
  local list, counts, by_name = {}, {}, M.all()
  ---@param file review.File?  nil for a finding about the whole change
  ---@param n integer?         line; nil for a finding about the whole file
  ---@param claim string
  ---@param fields table?      path (of an unchanged file), evidence, severity, fix, confidence
  return list, function(name, file, n, claim, fields)
    fields = fields or {}
    if not on[name] or file and n and ignored(file, n, name) then return end
    local check, path = by_name[name], fields.path or file and file.path
    local key = name .. "\0" .. (path or "")
    counts[key] = (counts[key] or 0) + 1
    if counts[key] > most_per_file then return end
    local line = file and n and file.lines[n]
    list[#list + 1] = { rule = name, file = path or m.null, line = n or m.null,
      severity = fields.severity or check.severity, claim = claim, fix = fields.fix or check.fix
        or "",
      evidence = fields.evidence or line and change_of.quoted(line) or "",
      confidence = fields.confidence or check.confidence or 0.8 }
  end
end

--- Runs all selected checks on a change.
---@param change review.Change
---@return table[] findings
---@return string[] notes
function M.run(ctx, change, words)
  local on = M.chosen(words)
  local list, report = reporter(on)
  local notes, _, _, groups = {}, M.all()
  for _, group in ipairs(groups) do
    -- If a check raises an error, continue with the other checks and keep all findings.
    local ok, err = pcall(group.look, change, report, ctx)
    if not ok then
      local why = type(err) == "table" and rawget(err, "message") or err
      notes[#notes + 1] = ("the checks of %s failed: %s"):format(group.name,
        m.findings.visible(m.findings.clip(tostring(why), 200)))
    end
  end
  return list, notes
end

--- Formats the list of checks as a Markdown page.
function M.page()
  local lines, by_name, names = { "# Diff checks", "" }, M.all()
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("- `%s`: %s"):format(name, by_name[name].help)
  end
  lines[#lines + 1] =
    "\n`--diff-checks=-NAME` switches one off, `moonlet: ignore NAME` in a comment hides"
    .. " it at a line."
  return table.concat(lines, "\n") .. "\n"
end

return M
