--- The checks that need the change: each has a name, and can be switched off by it.
local m = require "moonlet"
local change_of = require "change"

local M = {}

local GROUPS = { "api", "versions", "locks", "untested", "docs", "leftovers", "secrets" }
local most_per_file = 10

local loaded

--- All checks. They load at the first call, so that a list of presets does not pay for them.
---@return table<string, table> by_name  { name, help, severity, confidence, fix }
---@return string[] names                in the order in which they are listed
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

--- Reads the words of --diff-checks: names alone choose, names with a "-" in front switch off.
---@param words string[]
---@return table<string, boolean> on
---@return string? wrong  the first word that names no check
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

-- True if a comment at the line, or at the line before it, switches the check off.
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

-- Collects what the checks report.
local function reporter(on)
  local list, counts, by_name = {}, {}, M.all()
  ---@param name string
  ---@param file review.File?  nil: the change as a whole
  ---@param n integer?         the line; nil: the file as a whole
  ---@param claim string
  ---@param fields table?      path = a file that did not change, evidence, severity, fix, confidence
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

--- Looks at a change with all checks that are on.
---@param ctx moonlet.Ctx
---@param change review.Change
---@param words string[]
---@return table[] findings
---@return string[] notes
function M.run(ctx, change, words)
  local on = M.chosen(words)
  local list, report = reporter(on)
  local notes, _, _, groups = {}, M.all()
  for _, group in ipairs(groups) do
    -- A check that fails costs no findings of the others.
    local ok, err = pcall(group.look, change, report, ctx)
    if not ok then
      local why = type(err) == "table" and rawget(err, "message") or err
      notes[#notes + 1] = ("the checks of %s failed: %s"):format(group.name,
        m.findings.visible(m.findings.clip(tostring(why), 200)))
    end
  end
  return list, notes
end

--- The checks as a page.
---@return string
function M.page()
  local lines, by_name, names = { "# Diff checks", "" }, M.all()
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("- `%s`: %s"):format(name, by_name[name].help)
  end
  lines[#lines + 1] = "\n`--diff-checks=-NAME` switches one off, `moonlet: ignore NAME` in a comment hides"
    .. " it at a line."
  return table.concat(lines, "\n") .. "\n"
end

return M
