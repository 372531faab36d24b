--- Parses git's output: status, changed files, and diffs.
--- Names are parsed only from NUL-separated output. A truncated diff is parsed up to the cut.

local names = require "moonlet.git.names"

local byte, find, format, gsub, match, sub = string.byte, string.find, string.format, string.gsub,
  string.match, string.sub

local M = {}

---@class moonlet.git.Hunk
---@field old_start integer
---@field old_count integer
---@field new_start integer
---@field new_count integer
---@field section string     git's text after the second @@
---@field lines string[]     lines that each start with a space, plus, minus or backslash

---@class moonlet.git.FileDiff
---@field path string
---@field old_path string?   old path of a rename or a copy
---@field status string      added, deleted, modified, renamed, copied
---@field old_mode string?
---@field new_mode string?
---@field binary boolean
---@field hunks moonlet.git.Hunk[]
---@field from integer       first byte of this file's text in the parsed diff
---@field to integer         last byte of this file's text in the parsed diff
---@field cut boolean?       a hunk is shorter than its header says

---@class moonlet.git.Status
---@field head string?       nil before the first commit
---@field branch string?     nil when HEAD is detached
---@field detached boolean
---@field upstream string?
---@field ahead integer?
---@field behind integer?
---@field entries moonlet.git.StatusEntry[]

---@class moonlet.git.StatusEntry
---@field path string
---@field old_path string?
---@field index string?      git's status letter for the index
---@field worktree string?   git's status letter for the work tree
---@field modes string[]?
---@field submodule string?
---@field conflicted boolean?
---@field untracked boolean?

---@class moonlet.git.Change
---@field path string
---@field old_path string?
---@field status string      added, deleted, modified, renamed, copied, type or unmerged
---@field old_mode string
---@field new_mode string
---@field added integer
---@field deleted integer
---@field binary boolean

-- Iterates over the NUL-terminated records of git's -z output.
function M.records(text)
  local pos, size = 1, #text
  return function()
    if pos > size then return nil end
    local stop = find(text, "\0", pos, true) or size + 1
    local record = sub(text, pos, stop - 1)
    pos = stop + 1
    return record
  end
end

-- These patterns match changed ("1"), renamed ("2") and unmerged ("u") entries.
-- The pattern for unmerged entries captures two modes, the other patterns three.
local ENTRIES = {
  ["1"] = "^1 ((.).) (%S+) (%d+) (%d+) (%d+) %x+ %x+ (.+)$",
  ["2"] = "^2 ((.).) (%S+) (%d+) (%d+) (%d+) %x+ %x+ %a%d* (.+)$",
  u = "^u ((.).) (%S+) %d+ (%d+) %d+ (%d+) %x+ %x+ %x+ (.+)$",
}

local function read_entry(kind, record, next_record)
  local xy, index, submodule, head, middle, worktree, path = match(record, ENTRIES[kind])
  if kind == "u" then head, middle, worktree, path = head, head, middle, worktree end
  local old = kind == "2" and next_record() or nil
  if not path or kind == "2" and not old then return nil end
  return { path = path, old_path = old, index = index, worktree = sub(xy, 2), submodule = submodule,
    conflicted = kind == "u" or nil, modes = { head, middle, worktree } }
end

--- Parses `git status --porcelain=v2 --branch -z`.
--- ```lua
--- m.git.parse_status("# branch.head main\0? new.txt\0").entries[1].path --> "new.txt"
--- ```
---@param text string
---@return moonlet.git.Status
function M.parse_status(text)
  local status = { detached = false, entries = {} }
  local entries = status.entries
  local next_record = M.records(text)
  for record in next_record do
    local kind = sub(record, 1, 1)
    if ENTRIES[kind] then
      entries[#entries + 1] = read_entry(kind, record, next_record)
    elseif kind == "?" then
      entries[#entries + 1] = { path = sub(record, 3), untracked = true, index = "?",
        worktree = "?" }
    elseif kind == "#" then
      local key, value = match(record, "^# branch%.(%a+) (.*)$")
      if key == "oid" then
        status.head = value ~= "(initial)" and value or nil
      elseif key == "head" then
        status.detached = value == "(detached)"
        status.branch = not status.detached and value or nil
      elseif key == "upstream" then
        status.upstream = value
      elseif key == "ab" then
        local ahead, behind = match(value, "^%+(%d+) %-(%d+)$")
        status.ahead, status.behind = tonumber(ahead), tonumber(behind)
      end
    end
  end
  return status
end

local WORDS = { A = "added", C = "copied", D = "deleted", M = "modified", R = "renamed", T = "type",
  U = "unmerged" }

--- Returns the word for one of git's status letters.
--- ```lua
--- m.git.status_word "R" --> "renamed"
--- ```
---@param letter string
---@return string
function M.status_word(letter) return WORDS[letter] or "modified" end

--- Parses `git diff --raw --numstat -p -z`.
--- Returns the files with modes and counts, and the text of the patch.
--- ```lua
--- local files, patch = m.git.parse_changes(":100644 100644 1234567 89abcde M\0a.lua\0002\t1\ta.lua\0\0diff")
--- files[1].added --> 2
--- patch --> "diff"
--- ```
---@param text string
---@return moonlet.git.Change[] files
---@return string patch
function M.parse_changes(text)
  local files, by_path, pos, size = {}, {}, 1, #text
  local function take()
    local stop = find(text, "\0", pos, true)
    if not stop then return nil end
    local record = sub(text, pos, stop - 1)
    pos = stop + 1
    return record
  end
  while pos <= size do
    local first = byte(text, pos)
    if first == 58 then
      local head = take()
      local old_mode, new_mode, letter = match(head or "", "^:(%d+) (%d+) %x+%.* %x+%.* (%a)")
      if not letter then break end
      local path, old_path = take(), nil
      if letter == "R" or letter == "C" then path, old_path = take(), path end
      if not path then break end
      local file = by_path[path]
      if not file or letter ~= "U" then
        -- Git lists a conflicted file twice, as U and as M. Keep the status of U and the modes of M.
        local status = file and file.status or WORDS[letter] or "modified"
        if not file then
          file = {}
          files[#files + 1], by_path[path] = file, file
        end
        file.path, file.old_path, file.status = path, old_path, status
        file.old_mode, file.new_mode = old_mode, new_mode
        file.added, file.deleted, file.binary = 0, 0, false
      end
    elseif first == 0 then
      pos = pos + 1
      break
    else
      local record = take()
      local added, deleted, path = match(record or "", "^([%d%-]+)\t([%d%-]+)\t(.*)$")
      if not added then break end
      if path == "" then
        take()
        path = take()
      end
      local file = by_path[path]
      if file then
        file.binary = added == "-"
        file.added = file.added + (tonumber(added) or 0)
        file.deleted = file.deleted + (tonumber(deleted) or 0)
      end
    end
  end
  return files, sub(text, pos)
end

-- Parses the names in a "diff --git" line. They are used only if no later header has them, and then
-- both are the same, so that the line can be split in the middle.
local function header_paths(line)
  local rest = sub(line, 12)
  local quoted_a, quoted_b = match(rest, '^("a/.*") ("b/.*")$')
  if quoted_a then return sub(names.unquote(quoted_a), 3), sub(names.unquote(quoted_b), 3) end
  local half = (#rest - 1) // 2
  local a, b = sub(rest, 3, half), sub(rest, half + 4)
  return a, b
end

local function header_name(text)
  text = gsub(text, "\t$", "")
  if text == "/dev/null" then return nil end
  return sub(names.unquote(text), 3)
end

-- Reads as many lines as the hunk's header states, and returns the position after them.
local function take_hunk(text, pos, hunk)
  local lines, count, size = hunk.lines, 0, #text
  local old_left, new_left = hunk.old_count, hunk.new_count
  while pos <= size and (old_left > 0 or new_left > 0 or byte(text, pos) == 92) do
    local mark = byte(text, pos)
    if mark == 43 then
      new_left = new_left - 1
    elseif mark == 45 then
      old_left = old_left - 1
    elseif mark == 32 or mark == 10 then
      old_left, new_left = old_left - 1, new_left - 1
    elseif mark ~= 92 then
      break
    end
    local stop = find(text, "\n", pos, true) or size + 1
    count = count + 1
    lines[count] = sub(text, pos, stop - 1)
    pos = stop + 1
  end
  return pos, old_left > 0 or new_left > 0
end

local HEADERS = {
  { "--- ", function(file, rest) file.old_path = header_name(rest) end },
  { "+++ ", function(file, rest) file.path = header_name(rest) or file.path end },
  { "rename from ", function(file, rest)
    file.old_path, file.status = names.unquote(rest), "renamed"
  end },
  { "rename to ", function(file, rest) file.path = names.unquote(rest) end },
  { "copy from ", function(file, rest)
    file.old_path, file.status = names.unquote(rest), "copied"
  end },
  { "copy to ", function(file, rest) file.path = names.unquote(rest) end },
  { "new file mode ", function(file, rest) file.new_mode, file.status = rest, "added" end },
  { "deleted file mode ", function(file, rest) file.old_mode, file.status = rest, "deleted" end },
  { "old mode ", function(file, rest) file.old_mode = rest end },
  { "new mode ", function(file, rest) file.new_mode = rest end },
  { "Binary files ", function(file) file.binary = true end },
  { "GIT binary patch", function(file) file.binary = true end },
}

local function read_header(file, line)
  for i = 1, #HEADERS do
    local prefix = HEADERS[i][1]
    if sub(line, 1, #prefix) == prefix then
      HEADERS[i][2](file, sub(line, #prefix + 1))
      return
    end
  end
end

--- Parses a unified diff as git prints it. Skips all other text, so a truncated diff can be parsed.
--- ```lua
--- m.git.parse_diff(m.git.new_file_diff("a.lua", "return 1\n"))[1].hunks[1].new_count --> 1
--- ```
---@param text string
---@return moonlet.git.FileDiff[]
function M.parse_diff(text)
  local files, file, pos, size = {}, nil, 1, #text
  local function finish(at)
    if not file then return end
    file.to = at
    if file.old_path == file.path or (file.status ~= "renamed" and file.status ~= "copied") then
      file.old_path = nil
    end
  end
  while pos <= size do
    local stop = find(text, "\n", pos, true) or size + 1
    local mark = byte(text, pos)
    if mark == 100 and sub(text, pos, pos + 10) == "diff --git " then
      finish(pos - 1)
      local a, b = header_paths(sub(text, pos, stop - 1))
      file = { path = b, old_path = a, status = "modified", binary = false, hunks = {},
        from = pos, to = size }
      files[#files + 1] = file
    elseif mark == 64 and file then
      local os, oc, ns, nc, section =
        match(sub(text, pos, stop - 1), "^@@ %-(%d+),?(%d*) %+(%d+),?(%d*) @@ ?(.*)$")
      if os then
        local hunk = {
          old_start = tonumber(os), old_count = tonumber(oc) or 1,
          new_start = tonumber(ns), new_count = tonumber(nc) or 1,
          section = section, lines = {},
        }
        file.hunks[#file.hunks + 1] = hunk
        local after, short = take_hunk(text, stop + 1, hunk)
        if short then file.cut = true end
        stop = after - 1
      end
    elseif file and #file.hunks == 0 then
      read_header(file, sub(text, pos, stop - 1))
    end
    pos = stop + 1
  end
  finish(size)
  return files
end

--- Iterates over the changed lines of a file.
--- The iterator returns "+" and the new line number, or "-" and the old number, then the text.
--- ```lua
--- for mark, line, text in m.git.changed_lines(m.git.parse_diff(m.git.new_file_diff("a.lua", "x = 1\n"))[1]) do
---   ctx:log(mark .. line .. " " .. text)
--- end
--- ```
---@param file moonlet.git.FileDiff
---@return fun(): string?, integer?, string?
function M.changed_lines(file)
  local h, i, old_line, new_line = 1, 0, nil, nil
  local hunks = file.hunks
  return function()
    while hunks[h] do
      local hunk = hunks[h]
      if i == 0 then old_line, new_line = hunk.old_start, hunk.new_start end
      while i < #hunk.lines do
        i = i + 1
        local line = hunk.lines[i]
        local mark = byte(line, 1)
        if mark == 43 then
          new_line = new_line + 1
          return "+", new_line - 1, sub(line, 2)
        elseif mark == 45 then
          old_line = old_line + 1
          return "-", old_line - 1, sub(line, 2)
        elseif mark ~= 92 then
          old_line, new_line = old_line + 1, new_line + 1
        end
      end
      h, i = h + 1, 0
    end
    return nil
  end
end

--- Returns the diff that git would print for a new text file. `git diff` omits untracked files.
--- ```lua
--- m.git.new_file_diff("a.lua", "x = 1\n"):match "@@.-@@" --> "@@ -0,0 +1,1 @@"
--- ```
---@param path string
---@param text string
---@return string
function M.new_file_diff(path, text)
  local name = names.show_path(path, #path * 4 + 2)
  local quoted = sub(name, 1, 1) == '"'
  local function with(prefix) return quoted and '"' .. prefix .. sub(name, 2) or prefix .. name end
  -- Handle a last line without a newline separately. A pattern that also matches such a line would
  -- take quadratic time.
  local whole = match(text, "^.*\n()") or 1
  local tail = sub(text, whole)
  local lines, count = gsub(sub(text, 1, whole - 1), "[^\n]*\n", "+%0")
  if tail ~= "" then
    lines, count = lines .. "+" .. tail .. "\n\\ No newline at end of file\n", count + 1
  end
  local head = format("diff --git %s %s\nnew file mode 100644\n", with("a/"), with("b/"))
  if count == 0 then return head end
  return format("%s--- /dev/null\n+++ %s%s\n@@ -0,0 +1,%d @@\n%s", head, with("b/"),
    find(name, " ", 1, true) and not quoted and "\t" or "", count, lines)
end

return M
