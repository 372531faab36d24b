--- Decides the path of a change from facts alone. Every file gets findings; the most careful one decides, and the
--- reasons name the files. A finding has a kind and a place, and never quotes.

local comments = require "comments"
local dependencies = require "dependencies"
local git = require "moonlet.git"
local paths = require "moonlet.paths"
local rules = require "rules"
local secrets = require "moonlet.secrets"
local skills = require "skills"

local find, format, gsub, lower = string.find, string.format, string.gsub, string.lower

local M = {}

M.RANK = { fast = 1, skill = 2, code = 3, risk = 4 }

-- Sizes beyond which people do not read a change.
local MANY_FILES, MANY_LINES = 1000, 10000
-- Limits on the files that are opened: to prove that only comments changed, to see what an image really is, and to
-- read a file's head.
local COMMENT_READS, ASSET_READS, HEAD_READS = 40, 40, 40

---@class precommit.Finding
---@field level string   fast, skill, code or risk
---@field why string     short, the same for all files of a kind
---@field path string?
---@field line integer?
---@field hard boolean?  final: nothing may make the path less careful than this

local function is_deleted(file) return file.status == "deleted" and not file.untracked end

-- The path that a rename took away; a copy leaves its source alone.
local function moved_from(file)
  if not file.old_path then return nil end
  if file.status == "renamed" then return file.old_path end
  for _, part in ipairs(file.parts) do
    if part.status == "renamed" and part.old_path == file.old_path then return file.old_path end
  end
end

local PROGRAMS = { "^\127ELF", "^MZ", "^#!", "^\207\250\237\254", "^\202\254\186\190", "^\254\237\250" }

-- A program may carry the name of an image.
local function disguised(ctx, file, state)
  if is_deleted(file) or file.symlink then return false end
  local head = file.magic
  if not head then
    if state.asset_reads <= 0 then return false end
    state.asset_reads = state.asset_reads - 1
    head = ctx:read(file.path, { cap = 64, missing = "nil" }) or ""
  end
  for _, magic in ipairs(PROGRAMS) do
    if find(head, magic) then return true end
  end
  return false
end

local function part_has(file, test)
  for _, part in ipairs(file.parts) do
    for mark, line, text in git.changed_lines(part) do
      if test(mark, text) then return line end
    end
  end
  return nil
end

local function conflict_line(file)
  local opened
  for _, part in ipairs(file.parts) do
    for mark, line, text in git.changed_lines(part) do
      if mark == "+" then
        if find(text, "^<<<<<<< %S") then opened = line end
        if opened and find(text, "^>>>>>>> %S") then return opened end
      end
    end
  end
end

-- Findings that no agent may talk away.
local function hard_findings(file, add)
  local found = false
  local function hard(why, line)
    found = true
    add { level = "risk", why = why, path = file.path, line = line, hard = true }
  end
  if file.conflicted then hard "unresolved merge conflict" end
  local marker = not file.conflicted and conflict_line(file)
  if marker then hard("conflict markers", marker) end
  for _, part in ipairs(file.parts) do
    for _, secret in ipairs(part.secrets) do hard("secret in the change (" .. secret.kind .. ")", secret.line) end
  end
  local what, maybe = secrets.name(file.path)
  if what and not is_deleted(file) and (not maybe or file.binary) and not (file.d.fixture and maybe) then
    hard("file of secrets (" .. what .. ")")
  elseif what and not maybe then
    add { level = "risk", why = "file of secrets removed; it stays in the history", path = file.path }
  end
  return found
end

local function shape_findings(ctx, file, add, state)
  local d = file.d
  local function risk(why, line) add { level = "risk", why = why, path = file.path, line = line } end
  if file.submodule or file.nested then risk(file.nested and "repository inside the repository" or "submodule") end
  if d.name == ".gitmodules" then risk "submodule" end
  if file.symlink then risk "symbolic link" end
  local special = file.symlink or file.submodule or file.nested
  if file.mode_change and not special then risk("file mode (" .. file.mode_change .. ")") end
  if file.large then risk "very large file" end
  for _, part in ipairs(file.parts) do
    if part.cut and not file.large then
      risk "too long to be looked at whole"
      break
    end
  end
  if file.unread and not file.withheld and not special then
    risk("could not be read (" .. git.show_path(file.unread, 80) .. ")")
  end
  if special or is_deleted(file) then return end
  if d.kind == "asset" then
    if disguised(ctx, file, state) then risk "program with the name of an image or document" end
  elseif (file.binary or (file.magic and d.kind == "binary")) and d.kind ~= "lock" then
    risk "binary file"
  end
end

local function is_test_code(d)
  return d.test and not d.fixture and (d.kind == "code" or d.kind == "unknown")
end

-- A test that turns up elsewhere under its own name was moved, not removed.
local function note_lost_tests(facts, add)
  local there = {}
  for _, file in ipairs(facts.files) do
    if not is_deleted(file) then there[lower(file.d.name)] = true end
  end
  for _, file in ipairs(facts.files) do
    if is_deleted(file) and is_test_code(file.d) and not there[lower(file.d.name)] then
      add { level = "risk", why = "test removed", path = file.path }
    elseif moved_from(file) and not is_test_code(file.d) then
      local old = paths.describe(file.old_path)
      if is_test_code(old) and not there[lower(old.name)] then
        add { level = "risk", why = "test renamed so that it is none", path = file.path }
      end
    end
  end
end

local CHANGELOGS = { xml = true, yaml = true, json = true, sql = true }

-- True if a file opens a changelog: the changed lines need not hold the line that says so.
local function opens_changelog(ctx, file, state)
  if file.status ~= "modified" or state.head_reads <= 0 then return false end
  state.head_reads = state.head_reads - 1
  for line in string.gmatch(ctx:read(file.path, { cap = 2048, missing = "nil" }) or "", "[^\n]+") do
    if rules.changelog_line(line) then return true end
  end
  return false
end

local function content_findings(ctx, file, state, add)
  local d = file.d
  if d.test or d.generated or (d.kind ~= "code" and d.kind ~= "config") then return end
  local function risk(why, line) add { level = "risk", why = why, path = file.path, line = line } end
  if d.language == "sql" then
    local line = part_has(file, function(_, text) return rules.schema_line(text) end)
    if line then risk("database schema or migration", line) end
  end
  if CHANGELOGS[d.language] then
    local line = part_has(file, function(_, text) return rules.changelog_line(text) end)
    if line or opens_changelog(ctx, file, state) then risk("database schema or migration", line) end
  end
  if d.name == "package.json" then
    local line = part_has(file, function(mark, text) return mark == "+" and rules.install_script(text) end)
    if line then risk("script that runs at installation", line) end
    line = part_has(file, function(_, text) return find(text, '^%s*"license"%s*:') ~= nil end)
    if line and file.status == "modified" then risk("license", line) end
  end
  if d.kind == "code" and d.language ~= "css" then
    local line = part_has(file, function(_, text) return rules.access_line(text) end)
    if line then risk("authentication, permissions or cryptography", line) end
  end
end

local IMAGE_DIRS = { images = true, img = true, screenshots = true, media = true, figures = true, [".github"] = true }

local function docs_asset(d)
  if d.in_docs then return true end
  for dir in string.gmatch(lower(d.dir), "[^/]+") do
    if IMAGE_DIRS[dir] then return d.dir == dir end
  end
  return false
end

local function scripted_image(file)
  return file.d.ext == "svg" and part_has(file, function(mark, text)
    local low = lower(text)
    return mark == "+" and (find(low, "<script", 1, true) or find(low, "javascript:", 1, true)
      or find(low, "[ \t]on%l+%s*=")) ~= nil
  end)
end

-- The least level of a file, whatever its other findings.
local function base_finding(file, state)
  local d = file.d
  if state.skills.of[file.path] then return { level = "skill", why = "files of a skill", path = file.path } end
  if rules.agent_text(file.path) then return { level = "skill", why = "instructions for agents", path = file.path } end
  if state.skills.shared[file.path] and d.kind ~= "code" then
    return { level = "skill", why = "part that skills share", path = file.path }
  end
  if d.kind == "docs" then return { level = "fast", why = "documentation or plain text", path = file.path } end
  if d.kind == "asset" then
    if scripted_image(file) then return { level = "code", why = "image with a script in it", path = file.path } end
    if docs_asset(d) then return { level = "fast", why = "image or document beside the text", path = file.path } end
    return { level = "code", why = "asset of the product", path = file.path }
  end
  if is_test_code(d) then return { level = "code", why = "tests", path = file.path } end
  if d.test then return { level = "code", why = "data of tests", path = file.path } end
  if d.kind == "config" or d.kind == "lock" then return { level = "code", why = "configuration", path = file.path } end
  if d.kind == "data" then return { level = "code", why = "data", path = file.path } end
  if d.kind == "unknown" then return { level = "code", why = "file of an unknown kind", path = file.path } end
  return { level = "code", why = "source code", path = file.path }
end

-- A rename takes its old path away, which asks for as much care as a removal would.
local function old_findings(file, state, add)
  local old = { path = moved_from(file), parts = {} }
  if not old.path then return end
  old.d = paths.describe(old.path)
  local what, maybe = secrets.name(old.path)
  if what and not maybe then
    add { level = "risk", why = "file of secrets renamed; it stays in the history", path = old.path }
  end
  if not state.skills.of[old.path] then
    for _, why in ipairs(rules.of_name(old.d)) do
      add { level = "risk", why = why .. ", renamed", path = file.path }
    end
  end
  local base = base_finding(old, state)
  if base.level == "code" then state.code_seen = true end
  if base.level ~= "fast" and base_finding(file, state).level ~= base.level then
    add { level = base.level, why = base.why .. ", renamed away", path = old.path }
  end
end

-- True if lines of a text changed in their years alone, as those of a license do each January.
local function only_years(file)
  if file.d.kind ~= "docs" or file.status ~= "modified" then return false end
  local lines = { ["+"] = {}, ["-"] = {} }
  for _, part in ipairs(file.parts) do
    if part.cut then return false end
    for mark, _, text in git.changed_lines(part) do
      local bare = gsub(gsub(text, "%f[%d][12]%d%d%d%f[%D]", "Y"), "Y%s*[-,]%s*Y", "Y")
      table.insert(lines[mark], bare)
    end
  end
  return lines["+"][1] ~= nil and table.concat(lines["+"], "\n") == table.concat(lines["-"], "\n")
end

local function judge(ctx, file, state, add)
  local d = file.d
  local before = #state.findings
  hard_findings(file, add)
  shape_findings(ctx, file, add, state)
  local in_skill = state.skills.of[file.path] ~= nil
  old_findings(file, state, add)
  local read_by_programs = d.kind == "code" or d.kind == "config"
  if #state.findings == before and not in_skill and not moved_from(file) and read_by_programs then
    -- If code has changed anyway, it matters only for files that a name would send to the Risk Path.
    local matters = not state.code_seen or #rules.of_name(d) > 0
    if matters and comments.only(ctx, file, state.comments) then
      file.only_comments = true
      add { level = "fast", why = "only comments", path = file.path }
      return
    end
  end
  if not in_skill then
    local named = only_years(file) and {} or rules.of_name(d)
    for _, why in ipairs(named) do add { level = "risk", why = why, path = file.path } end
    -- A change of so many files is on the Risk Path, whatever is in their lines.
    if #state.findings == before and not state.big then content_findings(ctx, file, state, add) end
  end
  local base = base_finding(file, state)
  if base.level == "code" then state.code_seen = true end
  -- The most careful finding is reported; that the file is code besides adds nothing.
  if #state.findings == before or base.level == "skill" then add(base) end
end

local function size_findings(facts, add)
  local lines = 0
  for _, file in ipairs(facts.files) do
    local kind = file.d.kind
    if kind ~= "lock" and kind ~= "docs" and not file.d.generated and not file.d.fixture then
      lines = lines + file.added + file.deleted
    end
  end
  if #facts.files > MANY_FILES then
    add { level = "risk", why = format("too big to look over: %d files", #facts.files) }
  elseif lines > MANY_LINES then
    add { level = "risk", why = format("too big to look over: %d changed lines", lines) }
  end
  if facts.cut then
    add { level = "risk", why = "not all of it could be read: " .. (facts.notes[1] or "it is too long") }
  end
end

-- A line for each kind of finding, the most careful first; it names up to five files.
local function reasons_of(findings)
  local groups, order = {}, {}
  for _, finding in ipairs(findings) do
    local key = finding.level .. "\0" .. finding.why
    local group = groups[key]
    if not group then
      group = { level = finding.level, why = finding.why, places = {}, count = 0, seen = {}, at = #order,
        rank = M.RANK[finding.level] + (finding.hard and 1 or 0) }
      groups[key], order[#order + 1] = group, group
    end
    local place = finding.path and git.show_path(finding.path, 120) .. (finding.line and ":" .. finding.line or "")
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
  for i, group in ipairs(order) do
    if i > 24 then break end
    local text = group.level .. ": " .. group.why
    if group.count > 0 then text = text .. ": " .. table.concat(group.places, ", ") end
    if group.count > 5 then text = text .. format(" and %d more", group.count - 5) end
    reasons[i] = text
  end
  return reasons
end

---@class precommit.Verdict
---@field path string        fast, skill, code or risk
---@field floor string       the least careful path that an agent may choose
---@field reasons string[]
---@field findings precommit.Finding[]
---@field skills precommit.Skills

---@param ctx table
---@param facts moonlet.facts.Git with `survey`
---@return precommit.Verdict
function M.classify(ctx, facts)
  local folders = {}
  for _, file in ipairs(facts.files) do file.d = paths.describe(file.path, folders) end
  local state = { findings = {}, big = #facts.files > MANY_FILES, comments = { reads = COMMENT_READS },
    asset_reads = ASSET_READS, head_reads = HEAD_READS, code_seen = false, skills = skills.find(ctx, facts) }
  local function add(finding) state.findings[#state.findings + 1] = finding end
  for _, file in ipairs(facts.files) do judge(ctx, file, state, add) end
  note_lost_tests(facts, add)
  for _, pair in ipairs(dependencies.unpaired(facts)) do add { level = "risk", why = pair.why, path = pair.path } end
  size_findings(facts, add)
  for _, place in ipairs(facts.unseen) do
    add { level = "risk", why = "could not be looked at (" .. place.why .. ")", path = place.path }
  end

  local path, floor = "fast", "fast"
  for _, finding in ipairs(state.findings) do
    if M.RANK[finding.level] > M.RANK[path] then path = finding.level end
    if finding.hard then floor = "risk" end
  end
  local reasons = reasons_of(state.findings)
  if #facts.files == 0 and #state.findings == 0 then reasons[1] = "fast: nothing has changed" end
  if #facts.state > 0 then reasons[#reasons + 1] = "note: in progress: " .. table.concat(facts.state, ", ") end
  for _, why in ipairs(state.skills.why) do reasons[#reasons + 1] = "reinstall: " .. why end
  return { path = path, floor = floor, reasons = reasons, findings = state.findings, skills = state.skills }
end

--- The more careful of two paths.
---@param a string
---@param b string
---@return string
function M.more_careful(a, b)
  return M.RANK[a] >= M.RANK[b] and a or b
end

return M
