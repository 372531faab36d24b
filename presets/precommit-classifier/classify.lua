--- Chooses the review path of a change from facts: fast, skill or risk.
--- Each file gets findings, and the finding that requires the most careful path decides.
--- A finding has a kind and a place, but never quotes the file.
local dependencies = require "dependencies"
local m = require "moonlet"
local paths = require "moonlet.paths"
local secrets = require "moonlet.secrets"
local skills = require "skills"
local table_of_paths = require "paths_table"

local find, format, lower = string.find, string.format, string.lower

local M = {}

M.RANK = { fast = 1, skill = 2, code = 3, risk = 4 }

-- People cannot review a change with more files or lines than this.
local many_files, many_lines = 1000, 10000

local function is_deleted(file) return file.status == "deleted" and not file.untracked end

-- Returns the path that a rename removed. A copy removes no path.
local function moved_from(file)
  if file.status == "renamed" then return file.old_path end
  for _, part in ipairs(file.parts) do
    if part.status == "renamed" then return part.old_path end
  end
end

local function added_line(file, test)
  for _, part in ipairs(file.parts) do
    for mark, line, text in m.git.changed_lines(part) do
      if mark == "+" and test(text) then return line end
    end
  end
end

-- Adds the hard findings, which an agent may not overrule.
local function hard_findings(file, add)
  local function hard(why, line)
    add { level = "risk", why = why, path = file.path, line = line, hard = true }
  end
  if file.conflicted then
    hard "unresolved merge conflict"
  else
    local opened = added_line(file, function(text) return find(text, "^<<<<<<< %S") end)
    if opened and added_line(file, function(text) return find(text, "^>>>>>>> %S") end) then
      hard("conflict markers", opened)
    end
  end
  for _, part in ipairs(file.parts) do
    for _, found in ipairs(part.secrets) do
      hard(format("secret in the change (%s)", found.kind), found.line)
    end
  end
  local what, maybe = secrets.name(file.path)
  if what and is_deleted(file) and not maybe then
    add { level = "risk", path = file.path, why = "file of secrets removed; the history keeps it" }
  elseif what and not is_deleted(file) and (not maybe or file.binary and not file.d.fixture) then
    hard("file of secrets (" .. what .. ")")
  end
end

local function is_cut(file)
  for _, part in ipairs(file.parts) do
    if part.cut then return true end
  end
end

-- Adds findings for links, submodules and binary files.
local function shape_findings(file, add)
  local d = file.d
  local special = file.symlink or file.submodule or file.nested
  local function risk(holds, why)
    if holds then add { level = "risk", why = why, path = file.path } end
  end
  risk(file.nested, "repository inside the repository")
  risk(file.submodule or d.name == ".gitmodules", "submodule")
  risk(file.symlink, "symbolic link")
  risk(file.mode_change and not special, format("file mode (%s)", file.mode_change))
  risk(file.large, "very large file")
  risk(not file.large and is_cut(file), "too long to be read whole")
  risk(file.unread and not file.withheld and not special, "could not be read")
  if special or is_deleted(file) then return end
  risk((file.binary or file.magic and d.kind == "binary") and d.kind ~= "asset"
    and d.kind ~= "lock", "binary file")
  risk(d.name == "package.json" and added_line(file, function(text)
    return find(text, '^%s*"p?r?e?p?o?s?t?install"%s*:') or find(text, '^%s*"prepare"%s*:')
  end), "script that runs at installation")
end

local function base_finding(path, d, found)
  if found.of[path] then return { level = "skill", why = "files of a skill", path = path } end
  if found.shared[path] and d.kind ~= "code" then
    return { level = "skill", why = "part that skills share", path = path }
  end
  local level, why = table_of_paths.base(d)
  return { level = level, why = why, path = path }
end

-- Adds the findings of the path table. The old path of a renamed file is also looked up.
-- A link or a submodule gets no finding for its kind of file, because it is already a risk.
local function path_findings(file, path, d, found, add, suffix)
  local base = base_finding(path, d, found)
  base.covered = file.symlink or file.submodule or file.nested
  if not found.of[path] then
    for _, why in ipairs(table_of_paths.reasons(d)) do
      add { level = "risk", why = why .. suffix, path = path }
      base.covered = true
    end
  end
  if not base.covered then
    base.why = base.why .. suffix
    add(base)
  end
end

local function is_test_code(d)
  return d.test and not d.fixture and (d.kind == "code" or d.kind == "unknown")
end

-- Treats a deleted test as moved if the change has a file of the same name elsewhere.
local function lost_tests(facts, add)
  local there = {}
  for _, file in ipairs(facts.files) do
    if not is_deleted(file) then there[lower(file.d.name)] = true end
  end
  for _, file in ipairs(facts.files) do
    local gone = is_deleted(file) and file.path or moved_from(file)
    local old = gone and paths.describe(gone)
    if old and is_test_code(old) and not there[lower(old.name)]
      and (is_deleted(file) or not is_test_code(file.d)) then
      add { level = "risk", why = "test removed", path = file.path }
    end
  end
end

local function size_findings(facts, add)
  local lines = 0
  for _, file in ipairs(facts.files) do
    local d = file.d
    if d.kind ~= "lock" and d.kind ~= "docs" and not d.generated and not d.fixture then
      lines = lines + file.added + file.deleted
    end
  end
  local function risk(why, ...) add { level = "risk", why = format(why, ...) } end
  if #facts.files > many_files then risk("too large to check by eye: %d files", #facts.files) end
  if lines > many_lines then risk("too large to check by eye: %d changed lines", lines) end
  if facts.cut then risk("not all of it could be read: %s", facts.notes[1] or "it is too long") end
  for _, place in ipairs(facts.unseen) do
    add { level = "risk", why = "could not be read (" .. place.why .. ")", path = place.path }
  end
end

-- Formats one line per kind of finding, the most careful path first, with up to five files.
local function reasons_of(findings)
  local groups, order = {}, {}
  for i, finding in ipairs(findings) do
    local key = finding.level .. ": " .. finding.why
    local group = groups[key] or { key = key, places = {}, count = 0, seen = {},
      rank = M.RANK[finding.level] + (finding.hard and 1 or 0), at = i }
    if not groups[key] then groups[key], order[#order + 1] = group, group end
    local place = finding.path and m.git.show_path(finding.path, 120)
      .. (finding.line and ":" .. finding.line or "")
    if place and not group.seen[place] then
      group.seen[place], group.count = true, group.count + 1
      if group.count <= 5 then group.places[group.count] = place end
    end
  end
  table.sort(order, function(a, b)
    if a.rank ~= b.rank then return a.rank > b.rank end
    return a.at < b.at
  end)
  local reasons = {}
  for i = 1, math.min(#order, 24) do
    local group = order[i]
    local more = group.count > 5 and format(" and %d more", group.count - 5) or ""
    local where = group.count > 0 and ": " .. table.concat(group.places, ", ") or ""
    reasons[i] = group.key .. where .. more
  end
  return reasons
end

--- Returns the review path of a change and the reasons for it.
--- An agent may not choose a path that is less careful than `floor`.
---@param facts moonlet.facts.Git       with `survey`
---@param there table<string, boolean>  files of the repository after the change
---@return {path: string, floor: string, reasons: string[], hard: string[], skills: table}
function M.classify(ctx, facts, there)
  local findings, folders = {}, {}
  local function add(finding) findings[#findings + 1] = finding end
  for _, file in ipairs(facts.files) do file.d = paths.describe(file.path, folders) end
  local found = skills.find(ctx, facts)
  for _, file in ipairs(facts.files) do
    hard_findings(file, add)
    shape_findings(file, add)
    path_findings(file, file.path, file.d, found, add, "")
    local old = moved_from(file)
    if old then path_findings(file, old, paths.describe(old, folders), found, add, ", renamed") end
  end
  lost_tests(facts, add)
  for _, pair in ipairs(dependencies.unpaired(facts, there)) do
    add { level = "risk", why = pair.why, path = pair.path }
  end
  size_findings(facts, add)
  local path, hard = "fast", {}
  for _, finding in ipairs(findings) do
    path = M.more_careful(finding.level, path)
    if finding.hard then hard[#hard + 1] = finding end
  end
  local reasons = reasons_of(findings)
  if #findings == 0 then reasons[1] = "fast: nothing has changed" end
  if #facts.state > 0 then
    reasons[#reasons + 1] = "note: in progress: " .. table.concat(facts.state, ", ")
  end
  for _, why in ipairs(found.why) do reasons[#reasons + 1] = "reinstall: " .. why end
  local floor = hard[1] and "risk" or found.needed and "skill" or "fast"
  return { path = path, floor = floor, reasons = reasons,
    hard = reasons_of(hard), skills = found }
end

--- Returns whichever of two review paths requires the more careful review.
function M.more_careful(a, b) return M.RANK[a] >= M.RANK[b] and a or b end

return M
