--- Reports outdated documents: broken links, and mentions of removed files or options.
local m = require "moonlet"
local text = require "moonlet.text"

local M = {}

M.checks = {
  { name = "broken-link", severity = "medium", confidence = 0.85,
    help = "a link to a file that is not there",
    fix = "Correct the path, or take the link out." },
  { name = "stale-document", severity = "medium", confidence = 0.8,
    help = "a document that still names a file or flag which the change removed",
    fix = "Bring the document up to date." },
}

local MARKDOWN = { md = true, markdown = true, mdx = true }

-- Resolves a relative path against a folder. Returns nil if it leaves the tree.
local function resolved(dir, target)
  local parts = {}
  for part in (dir .. "/" .. target):gmatch "[^/]+" do
    if part == ".." then
      if #parts == 0 then return nil end
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "/")
end

local function folders(tree)
  local set = {}
  for path in pairs(tree) do
    for slash in path:gmatch "()/" do set[path:sub(1, slash - 1)] = true end
  end
  return set
end

local ELSEWHERE = { "^%a[%w+.-]*:", "^[/{$<@#]", "[{}*|]" }

local function leads_nowhere(change, dirs, dir, target)
  if target == "" or text.any(target, ELSEWHERE) or not target:find "%.%w+$" then return false end
  if target:find "%.html?$" then return false end
  local path = resolved(dir, target)
  return path ~= nil and not (change.tree[path] or dirs[path] or change.tree[path .. ".md"])
end

local function decoded(target)
  return (target:gsub("[#?].*$", ""):gsub("%%(%x%x)",
    function(hex) return string.char(tonumber(hex, 16)) end))
end

local function links(change, file, dirs, report)
  local fenced = false
  for n = 1, file.count or 0 do
    local line = file.lines[n]
    if line:find "^%s*```" then fenced = not fenced end
    if file.touched[n] and not fenced and #line < 4000 then
      for target in line:gsub("`[^`]*`", ""):gmatch "%]%(%s*<?([^%s)>]+)" do
        local path = decoded(target)
        if leads_nowhere(change, dirs, file.d.dir, path) then
          report("broken-link", file, n, ("The link leads to %s, which is not there."):format(
            m.git.show_path(path, 120)))
        end
      end
    end
  end
end

local FLAGS = { "add_argument%(.-[\"'](%-%-[%w-]+)[\"']", "[%w_.]*option%(%s*[\"'](%-%-[%w-]+)",
  "%.option%(%s*[\"'`][^\"'`]*(%-%-[%w-]+)" }

-- Returns the files and the command-line options that the change removed.
local function removed_words(change)
  local words, added = {}, {}
  for _, file in ipairs(change.files) do
    for _, n in ipairs(file.d.kind ~= "docs" and file.added or {}) do
      for flag in file.lines[n]:sub(1, 1000):gmatch "%-%-[%w-]+" do added[flag] = true end
    end
  end
  for _, file in ipairs(change.files) do
    if file.deleted and not file.d.test and #file.path > 5 and file.path:find "/" then
      words[#words + 1] = { text = file.path, what = "the file" }
    end
    for _, line in ipairs(file.source and file.removed or {}) do
      local flag = #line < 1000 and text.first(line, FLAGS)
      if flag and #flag > 4 and not added[flag] then words[#words + 1] = { text = flag,
        what = "the flag" } end
    end
    if #words >= 40 then return words end
  end
  for _, changed in ipairs(change.facts.files) do
    if changed.status == "renamed" and changed.old_path and changed.old_path:find "/" then
      words[#words + 1] = { text = changed.old_path, what = "the file" }
    end
  end
  return words
end

local NOT_CURRENT = { "change", "history", "news", "release", "migrat", "upgrad", "archive",
  "legacy", "blog",
  "adr", "rfc", "proposal" }

-- Finds lines of documents that still mention a removed file or option, with git grep.
local function stale(change, ctx, report)
  local words = removed_words(change)
  if #words == 0 then return end
  local call = { "grep", "-n", "-I", "-F", "--full-name", "--no-color", "-z" }
  for _, word in ipairs(words) do table.move({ "-e", word.text }, 1, 2, #call + 1, call) end
  local target = change.facts.target
  local commit = (target.kind == "commit" or target.kind == "range") and target.head
  if commit then
    call[#call + 1] = commit
  elseif target.kind == "staged" then
    call[#call + 1] = "--cached"
  end
  for _, word in ipairs { "--", "*.md", "*.rst", "*.adoc" } do call[#call + 1] = word end
  local result = m.git.run(ctx, call, { cap = 1 << 20 })
  for path, number, line in result.stdout:gmatch "([^\n%z]+)%z(%d+)%z([^\n]*)" do
    path = commit and path:gsub("^" .. commit .. ":", "") or path
    for _, word in ipairs(text.word(path, NOT_CURRENT) and {} or words) do
      local from, to = line:find(word.text, 1, true)
      local whole = from and not line:sub(from - 1, from - 1):find "[%w/_-]"
        and not line:sub(to + 1, to + 1):find "[%w/_-]"
      if whole and not line:find "://%S*$" then
        report("stale-document", change.by_path[path], math.tointeger(number),
          ("The document names %s %s, which is gone."):format(word.what, m.git.show_path(word.text,
            120)),
          { path = path, evidence = m.findings.clip(text.trim(line), 200) })
        break
      end
    end
  end
end

---@param change review.Change
function M.look(change, report, ctx)
  if not change.tree then return end
  local dirs
  for _, file in ipairs(change.files) do
    if MARKDOWN[file.d.ext] and not file.deleted and not file.d.fixture then
      dirs = dirs or folders(change.tree)
      links(change, file, dirs, report)
    end
  end
  if not change.whole then stale(change, ctx, report) end
end

return M
