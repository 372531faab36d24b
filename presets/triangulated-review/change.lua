--- Prepares the reviewed change for linters and checks: new, touched and removed lines.
local m = require "moonlet"
local paths = require "moonlet.paths"
local text = require "moonlet.text"

local M = {}

local most_bytes = 12 << 20

---@class review.File
---@field path string
---@field d moonlet.paths.Description
---@field lines table<integer, string>   known lines of the new text, by number
---@field count integer?                 number of lines, if all are known
---@field touched table<integer, boolean>
---@field added integer[]                numbers of the touched lines, ascending
---@field removed string[]
---@field new boolean
---@field deleted boolean
---@field example boolean
---@field source boolean                 true for code, except tests, examples and generated code
---@field file moonlet.facts.File

---@class review.Change
---@field facts moonlet.facts.Git
---@field files review.File[]
---@field by_path table<string, review.File>
---@field tree table<string, boolean>?   every path of the reviewed tree
---@field removed table<string, boolean> removed lines of all files, without their indent
---@field whole boolean                  true if whole files are reviewed, not a change

local examples = text.set [[example examples demo demos sample samples playground benchmark
  benchmarks bench template templates tutorial tutorials snippets fixtures testdata vendor
  third_party]]

local function in_examples(dir)
  for part in dir:lower():gmatch "[^/]+" do
    if examples[part] then return true end
  end
  return false
end

-- Calls visit(mark, old number, new number, text) for each line of a hunk.
local function each_line(hunk, visit)
  local old = hunk.old_count == 0 and hunk.old_start + 1 or hunk.old_start
  local new = hunk.new_count == 0 and hunk.new_start + 1 or hunk.new_start
  for _, raw in ipairs(hunk.lines) do
    local mark = raw:sub(1, 1)
    if mark ~= "\\" then visit(mark, old, new, (raw:sub(2):gsub("\r$", ""))) end
    if mark == "+" or mark == " " then new = new + 1 end
    if mark == "-" or mark == " " then old = old + 1 end
  end
  return new - old
end

-- Returns the number of line n after a later change, or nil if that change removed it.
local function number_after(part, n)
  local shift = 0
  for _, hunk in ipairs(part.hunks) do
    if n < hunk.old_start then break end
    local found
    shift = each_line(hunk, function(mark, old, new)
      if old == n and mark == " " then found = new end
      if old == n and mark == "-" then found = false end
    end)
    if found ~= nil then return found or nil end
  end
  return n + shift
end

local function read_parts(file, parts)
  for i, part in ipairs(parts) do
    for _, hunk in ipairs(part.hunks) do
      each_line(hunk, function(mark, _, new, line)
        if mark == "-" then file.removed[#file.removed + 1] = line end
        -- Convert the line numbers of staged changes, because unstaged changes moved the lines.
        local n = mark ~= "-" and new
        for later = i + 1, #parts do n = n and number_after(parts[later], n) end
        if n then file.lines[n] = line end
        if n and mark == "+" then file.touched[n] = true end
      end)
    end
  end
end

local function read_text(file, whole)
  file.lines, file.count = {}, 0
  for line in (whole:gsub("\n$", "") .. "\n"):gmatch "([^\n]*)\n" do
    file.count = file.count + 1
    file.lines[file.count] = line:gsub("\r$", "")
  end
end

local function file_of(facts, changed)
  local d = paths.describe(changed.path)
  local deleted = changed.status == "deleted"
  local file = { path = changed.path, d = d, file = changed, lines = {}, touched = {}, added = {},
    removed = {}, deleted = deleted, new = changed.status == "added"
      or changed.status == "untracked",
    example = in_examples(d.dir) }
  file.source = d.kind == "code" and not (d.test or d.generated or file.example)
  read_parts(file, changed.parts)
  local whole = facts.texts and facts.texts[changed.path]
  if whole and not deleted then read_text(file, whole) end
  for n in pairs(file.touched) do
    if file.lines[n] then file.added[#file.added + 1] = n else file.touched[n] = nil end
  end
  table.sort(file.added)
  return file
end

--- Builds the change from the facts of a review.
---@param facts moonlet.facts.Git  completed by `gather`
---@return review.Change
function M.of(facts)
  local change = { facts = facts, files = {}, by_path = {}, removed = {}, whole = facts.whole_files,
    unread = 0 }
  local room = most_bytes
  for _, changed in ipairs(facts.files) do
    if room <= 0 then
      change.unread = change.unread + 1
    elseif not changed.binary and not changed.submodule and not changed.symlink then
      local file = file_of(facts, changed)
      for _, line in ipairs(file.removed) do change.removed[text.trim(line)] = true end
      for _, n in ipairs(file.added) do room = room - #file.lines[n] end
      change.files[#change.files + 1] = file
      change.by_path[file.path] = file
    end
  end
  if change.unread > 0 then
    facts.notes[#facts.notes + 1] = ("%d files were not checked: the change is too large")
      :format(change.unread)
  end
  if facts.tree then
    change.tree = {}
    for _, path in ipairs(facts.tree) do change.tree[path] = true end
  end
  return change
end

--- Formats a line for the field `evidence` of a finding: short, printable and without secrets.
function M.quoted(line)
  local secrets = require "moonlet.secrets"
  local short = m.findings.clip(text.trim(line:sub(1, 1000)), 200)
  return m.findings.visible(secrets.redact(short, secrets.scan(short, { loose = true })))
end

-- Lists the marks that open and close multi-line comments and strings, by language.
local C_LIKE = { { "/*", "*/" } }
local BLOCKS = {
  python = { { '"""', '"""' }, { "'''", "'''" } }, lua = { { "[[", "]]" }, { "[=[", "]=]" } },
  javascript = { { "/*", "*/" }, { "`", "`" } }, typescript = { { "/*", "*/" }, { "`", "`" } },
  go = { { "/*", "*/" }, { "`", "`" } }, html = { { "<!--", "-->" } },
}
for _, name in ipairs { "c", "cpp", "java", "csharp", "rust", "php", "swift", "kotlin", "css" } do
  BLOCKS[name] = C_LIKE
end

-- Returns the marks of the comment or string that is still open at the end of a line, or nil if
-- none is open.
local function open_after(line, open, blocks)
  local at = 1
  while at <= #line do
    if open then
      local _, stop = line:find(open[2], at, true)
      if not stop then return open end
      open, at = nil, stop + 1
    else
      local first, ends, which
      for _, block in ipairs(blocks) do
        local from, to = line:find(block[1], at, true)
        if from and (not first or from < first) then first, ends, which = from, to, block end
      end
      if not first then return nil end
      open, at = which, ends + 1
    end
  end
  return open
end

--- Returns the lines of a file that begin inside a multi-line comment or string.
---@param file review.File
---@return table<integer, boolean>
function M.inside(file)
  if file.within then return file.within end
  file.within = {}
  local blocks, open = BLOCKS[file.d.language], nil
  for n = 1, blocks and file.count or 0 do
    if open then file.within[n] = true end
    open = open_after(file.lines[n]:sub(1, 2000), open, blocks)
  end
  return file.within
end

return M
