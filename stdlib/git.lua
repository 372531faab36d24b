--- Runs git so that nothing a repository holds can start a program, wait for a terminal or take a lock, and
--- reads what git prints. Paths are byte strings: they may hold newlines, quotes or invalid UTF-8, so only the
--- NUL-separated formats are read, and `show_path` is for everything that a person or a model will see.

local byte, find, format, gsub = string.byte, string.find, string.format, string.gsub
local lower, match, rep, sub = string.lower, string.match, string.rep, string.sub
local concat = table.concat

local M = {}

---@class moonlet.git.Hunk
---@field old_start integer
---@field old_count integer
---@field new_start integer
---@field new_count integer
---@field section string     what git prints after the second @@
---@field lines string[]     each with its first byte: space, plus, minus or backslash

---@class moonlet.git.FileDiff
---@field path string
---@field old_path string?   where a rename or a copy came from
---@field status string      added, deleted, modified, renamed, copied
---@field old_mode string?
---@field new_mode string?
---@field binary boolean
---@field hunks moonlet.git.Hunk[]
---@field from integer       where this file's text begins in the diff that was parsed
---@field to integer         and where it ends
---@field cut boolean?       a hunk is shorter than its header says

---@class moonlet.git.Status
---@field head string?       nil before the first commit
---@field branch string?     nil when HEAD is detached
---@field detached boolean
---@field upstream string?
---@field ahead integer?
---@field behind integer?
---@field entries table[]    {path, old_path, index, worktree, modes, submodule, conflicted, untracked}

local HARDEN = {
  "--no-pager",
  "--no-optional-locks",
  "-c", "core.fsmonitor=false",
  "-c", "core.untrackedCache=false",
  "-c", "core.hooksPath=/dev/null",
  "-c", "core.alternateRefsCommand=",
  "-c", "core.quotePath=true",
  "-c", "color.ui=false",
  "-c", "credential.helper=",
  "-c", "diff.external=",
  "-c", "diff.orderFile=/dev/null",
  "-c", "diff.suppressBlankEmpty=false",
  "-c", "log.showSignature=false",
  "-c", "protocol.allow=never",
  "-c", "submodule.recurse=false",
}

local ENV = {
  GIT_OPTIONAL_LOCKS = "0",
  GIT_TERMINAL_PROMPT = "0",
  GIT_NO_LAZY_FETCH = "1",
  GIT_ASKPASS = "",
  SSH_ASKPASS = "",
  GIT_LITERAL_PATHSPECS = "0",
  GIT_GLOB_PATHSPECS = "0",
  GIT_NOGLOB_PATHSPECS = "0",
  GIT_ICASE_PATHSPECS = "0",
  LC_ALL = "C",
}

local DIFF = {
  "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--no-indent-heuristic",
  "--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=myers", "--inter-hunk-context=0",
  "--unified=3", "--submodule=short", "--ignore-submodules=dirty", "--find-renames=50%", "--abbrev=12",
}

---The full command line for a git command, with every way to run another program shut.
---@param args string[]
---@return string[]
function M.command(args)
  local argv = { "git" }
  for i = 1, #HARDEN do argv[#argv + 1] = HARDEN[i] end
  for i = 1, #args do argv[#argv + 1] = args[i] end
  return argv
end

---Options that make every `git diff` print the same whatever the user's configuration says.
---@param first string[] what comes before them, such as { "diff", "--cached" }
---@param last string[]? what comes after, such as revisions and paths
---@return string[]
function M.diff_args(first, last)
  local args = {}
  for i = 1, #first do args[#args + 1] = first[i] end
  for i = 1, #DIFF do args[#args + 1] = DIFF[i] end
  for i = 1, #(last or {}) do args[#args + 1] = last[i] end
  return args
end

---The first line of what git said, without its prefix, fit to be shown.
---@param stderr string?
---@return string
function M.first_line(stderr)
  local line = match(stderr or "", "^%s*([^\n]*)") or ""
  line = gsub(gsub(line, "^fatal: ", ""), "^error: ", "")
  if line == "" then return "git said nothing" end
  return M.show_path(line)
end

---What a failed git command means for the user: an error table to raise.
---@param result table what `ctx:exec` gave
---@param doing string what was being done, such as "read the state of the work tree"
---@return table
function M.failure(result, doing)
  local text = result.stderr or ""
  local err = { kind = "failed", message = format("git could not %s: %s", doing, M.first_line(text)) }
  if find(text, "must be run in a work tree", 1, true) then
    err.kind = "invalid"
    err.message = "this repository is bare: it has no work tree to look at"
    err.hint = "run it in a clone, or add a work tree with: git worktree add DIR"
  elseif find(text, "not a git repository", 1, true) then
    err.kind = "invalid"
    err.message = "this is not a git repository"
    err.hint = "run it inside one, name one with --repo DIR, or make one with: git init"
  elseif find(text, "dubious ownership", 1, true) then
    err.kind = "denied"
    err.message = "git refuses this repository because another user owns it"
    err.hint = "if you trust it: git config --global --add safe.directory DIR"
  elseif find(text, "index file", 1, true) or find(text, "bad signature", 1, true) then
    err.hint = "the index is damaged; git status says more"
  end
  return err
end

---Runs one git command. Raises only where git could not be started; a failed command is data.
---@param ctx table
---@param args string[] without the word git
---@param opts table? {cap, env, stdin, cwd, timeout, journal}
---@return table {code, signal, stdout, stderr, cut}
function M.run(ctx, args, opts)
  opts = opts or {}
  local env = {}
  for name, value in pairs(ENV) do env[name] = value end
  for name, value in pairs(opts.env or {}) do env[name] = value end
  return ctx:exec {
    argv = M.command(args),
    env = env,
    cap = opts.cap or 1048576,
    stdin = opts.stdin,
    cwd = opts.cwd,
    timeout = opts.timeout or "2m",
    journal = opts.journal,
    name = "git-" .. args[1],
  }
end

---Runs git commands side by side and gives their results in the same order.
---@param ctx table
---@param calls table[] each {args, opts}
---@return table[]
function M.run_all(ctx, calls)
  return (ctx:parallel(calls, function(c, call) return M.run(c, call[1], call[2]) end))
end

-- Zero-width, bidirectional and line-separating code points make a name look like another one.
local function invisible(code)
  return code < 0x20 or (code >= 0x7f and code < 0xa0) or code == 0xad or code == 0xfeff
    or (code >= 0x200b and code <= 0x200f) or (code >= 0x2028 and code <= 0x202e)
    or (code >= 0x2060 and code <= 0x2069) or (code >= 0xe0000 and code <= 0xe007f)
end

local NAMED = { [7] = "\\a", [8] = "\\b", [9] = "\\t", [10] = "\\n", [11] = "\\v", [12] = "\\f", [13] = "\\r" }

local function octal(text)
  return (gsub(text, ".", function(char)
    return NAMED[byte(char)] or format("\\%03o", byte(char))
  end))
end

---A path (or any text from outside) as one line of valid UTF-8 without control or invisible characters. Where
---that takes a change the result stands in double quotes with C escapes, as git itself writes such names.
---@param path string
---@param limit integer? longest result in bytes, default 300
---@return string
function M.show_path(path, limit)
  limit = limit or 300
  local shown = path
  if find(path, '[^%w%._/%-+=@ ,:%%~#]') then
    local parts, changed, pos = {}, find(path, '["\\]') ~= nil, 1
    while pos <= #path do
      local good = utf8.len(path, pos)
      local stop = good and #path or select(2, utf8.len(path, pos)) - 1
      for _, code in utf8.codes(sub(path, pos, stop)) do
        if code == 34 or code == 92 then
          parts[#parts + 1] = "\\" .. utf8.char(code)
        elseif invisible(code) then
          parts[#parts + 1], changed = octal(utf8.char(code)), true
        else
          parts[#parts + 1] = utf8.char(code)
        end
      end
      if good then break end
      parts[#parts + 1], changed = octal(sub(path, stop + 1, stop + 1)), true
      pos = stop + 2
    end
    if changed then shown = '"' .. concat(parts) .. '"' end
  end
  if #shown > limit then
    local keep = limit - 3
    while keep > 1 and (byte(shown, keep + 1) or 0) & 0xC0 == 0x80 do keep = keep - 1 end
    shown = sub(shown, 1, keep) .. "..."
  end
  return shown
end

-- Whether a text can stand in a command line that people read: valid UTF-8, nothing invisible.
local function plain(text)
  if not utf8.len(text) then return false end
  for _, code in utf8.codes(text) do
    if invisible(code) then return false end
  end
  return true
end

---A path as one word of a shell command, or nil where a shell line cannot carry it as readable text.
---@param path string
---@return string?
function M.shell_word(path)
  if not plain(path) or path == "" then return nil end
  if sub(path, 1, 1) == "-" then path = "./" .. path end
  if find(path, "^[%w%._/%-+=@,:%%]+$") then return path end
  return "'" .. gsub(path, "'", "'\\''") .. "'"
end

local ESCAPES = { a = "\a", b = "\b", t = "\t", n = "\n", v = "\v", f = "\f", r = "\r" }

---Undoes git's quoting of a name in a diff header; an unquoted name comes back as it is.
---@param text string
---@return string
function M.unquote(text)
  local inner = match(text, '^"(.*)"$')
  if not inner then return text end
  return (gsub(inner, "\\(.)([0-7]?[0-7]?)", function(char, digits)
    if find(char, "[0-3]") and #digits == 2 then return string.char(tonumber(char .. digits, 8)) end
    return (ESCAPES[char] or char) .. digits
  end))
end

---Checks a target before it is put on a command line: no leading dash, no control characters, sane length.
---@param target string
---@return string? problem
function M.target_problem(target)
  if #target > 4096 then return "it is longer than 4096 bytes" end
  if find(target, "%c") then return "it holds a control character" end
  for _, part in ipairs { target, match(target, "%.%.%.?(.*)$") or "" } do
    if sub(part, 1, 1) == "-" then return "it begins with a dash, which git would read as an option" end
  end
  return nil
end

-- The NUL-terminated records of a -z output.
local function records(text)
  local pos, size = 1, #text
  return function()
    if pos > size then return nil end
    local stop = find(text, "\0", pos, true) or size + 1
    local record = sub(text, pos, stop - 1)
    pos = stop + 1
    return record
  end
end

---Reads `git status --porcelain=v2 --branch -z`.
---@param text string
---@return moonlet.git.Status
function M.parse_status(text)
  local status = { detached = false, entries = {} }
  local entries = status.entries
  local next_record = records(text)
  for record in next_record do
    local kind = sub(record, 1, 1)
    if kind == "1" then
      local xy, xs, sm, mh, mi, mw, path =
        match(record, "^1 ((.).) (%S+) (%d+) (%d+) (%d+) %x+ %x+ (.+)$")
      if path then
        entries[#entries + 1] = { path = path, index = xs, worktree = sub(xy, 2), submodule = sm,
          modes = { mh, mi, mw } }
      end
    elseif kind == "2" then
      local xy, xs, sm, mh, mi, mw, path =
        match(record, "^2 ((.).) (%S+) (%d+) (%d+) (%d+) %x+ %x+ %a%d* (.+)$")
      local old = next_record()
      if path and old then
        entries[#entries + 1] = { path = path, old_path = old, index = xs, worktree = sub(xy, 2), submodule = sm,
          modes = { mh, mi, mw } }
      end
    elseif kind == "u" then
      local xy, xs, sm, m2, mw, path =
        match(record, "^u ((.).) (%S+) %d+ (%d+) %d+ (%d+) %x+ %x+ %x+ (.+)$")
      if path then
        entries[#entries + 1] = { path = path, index = xs, worktree = sub(xy, 2), submodule = sm,
          conflicted = true, modes = { m2, m2, mw } }
      end
    elseif kind == "?" then
      entries[#entries + 1] = { path = sub(record, 3), untracked = true, index = "?", worktree = "?" }
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

local WORDS = { A = "added", C = "copied", D = "deleted", M = "modified", R = "renamed", T = "type", U = "unmerged" }

---The word for one of git's status letters.
---@param letter string
---@return string
function M.status_word(letter) return WORDS[letter] or "modified" end

---Reads `git diff --raw --numstat -p -z`: one list of files with modes and counts, and the text of the patch.
---@param text string
---@return table[] files {path, old_path, status, old_mode, new_mode, added, deleted, binary}
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
        -- A conflict is listed twice, as U and as M: the first says more, the second has the modes.
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

-- Both names of a "diff --git" line, where nothing below it names them: then they are the same name.
local function header_paths(line)
  local rest = sub(line, 12)
  local quoted_a, quoted_b = match(rest, '^("a/.*") ("b/.*")$')
  if quoted_a then return sub(M.unquote(quoted_a), 3), sub(M.unquote(quoted_b), 3) end
  local half = (#rest - 1) // 2
  local a, b = sub(rest, 3, half), sub(rest, half + 4)
  return a, b
end

local function header_name(text)
  text = gsub(text, "\t$", "")
  if text == "/dev/null" then return nil end
  return sub(M.unquote(text), 3)
end

-- Takes the lines of one hunk by the counts in its header; gives the position after it.
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
  { "rename from ", function(file, rest) file.old_path, file.status = M.unquote(rest), "renamed" end },
  { "rename to ", function(file, rest) file.path = M.unquote(rest) end },
  { "copy from ", function(file, rest) file.old_path, file.status = M.unquote(rest), "copied" end },
  { "copy to ", function(file, rest) file.path = M.unquote(rest) end },
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

---Reads a unified diff as git prints it. Text that is no diff is passed over, so a cut one is read as far as it goes.
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
      file = { path = b, old_path = a, status = "modified", binary = false, hunks = {}, from = pos, to = size }
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

---Walks over the changed lines: yields "+" and the new line number, or "-" and the old one, and the text.
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

---The diff that git would print for a new text file, for files that git does not track yet.
---@param path string
---@param text string
---@return string
function M.new_file_diff(path, text)
  local name = M.show_path(path, #path * 4 + 2)
  local quoted = sub(name, 1, 1) == '"'
  local function with(prefix) return quoted and '"' .. prefix .. sub(name, 2) or prefix .. name end
  -- The last line may lack its newline, and matching it together with the others would be quadratic.
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

local STATES = {
  { "MERGE_HEAD", "merge" }, { "CHERRY_PICK_HEAD", "cherry-pick" }, { "REVERT_HEAD", "revert" },
  { "BISECT_LOG", "bisect" }, { "rebase-merge", "rebase" }, { "rebase-apply", "rebase" },
}

-- A linked work tree keeps these outside of the jail; git itself says what can be said there.
local function state_by_git(ctx)
  local names = { "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "refs/bisect/bad" }
  local words = { "merge", "cherry-pick", "revert", "rebase", "bisect" }
  local results = M.run_all(ctx, {
    { { "rev-parse", "--is-shallow-repository" } },
    { { "cat-file", "--batch-check=%(objectname)" }, { stdin = concat(names, "\n") .. "\n" } },
  })
  local states, i = {}, 0
  if results[2].code == 0 then
    for line in string.gmatch(results[2].stdout, "[^\n]+") do
      i = i + 1
      if not find(line, "missing", 1, true) and words[i] then states[#states + 1] = words[i] end
    end
  end
  return states, match(results[1].stdout or "", "^true") ~= nil
end

---What git is in the middle of, such as { "merge" } or { "rebase" }, and whether the history is cut short.
---@param ctx table
---@return string[] states
---@return boolean shallow
function M.state(ctx)
  local list = ctx:list(".git")
  if not list then return state_by_git(ctx) end
  local there, states = {}, {}
  for _, entry in ipairs(list) do there[entry.name] = true end
  for _, pair in ipairs(STATES) do
    if there[pair[1]] then states[#states + 1] = pair[2] end
  end
  return states, there.shallow == true
end

---Settings of the repository's own configuration (not the user's) that matter before anything else is read:
---filter drivers, which git would start, are switched off through the environment that comes back.
---@param result table of `M.config_call`
---@return table env
---@return table settings {sparse = boolean, filters = string[]}
function M.read_config(result)
  local env, settings, count, seen = {}, { sparse = false, filters = {} }, 0, {}
  local next_record = records(result.code == 0 and result.stdout or "")
  local function set(key, value)
    env["GIT_CONFIG_KEY_" .. count], env["GIT_CONFIG_VALUE_" .. count] = key, value
    count = count + 1
  end
  for scope in next_record do
    local key, value = match(next_record() or "", "^([^\n]*)\n?(.*)$")
    if scope == "local" or scope == "worktree" then
      local name = match(key or "", "^filter%.(.*)%.%a+$")
      if name and not seen[name] then
        seen[name] = true
        settings.filters[#settings.filters + 1] = name
        for _, part in ipairs { "clean", "smudge", "process" } do set("filter." .. name .. "." .. part, "") end
        set("filter." .. name .. ".required", "false")
      elseif lower(key or "") == "core.sparsecheckout" then
        settings.sparse = lower(value) == "true" or value == ""
      end
    end
  end
  if count > 0 then env.GIT_CONFIG_COUNT = tostring(count) end
  return env, settings
end

---The call whose result `M.read_config` reads.
---@return table
function M.config_call()
  return { { "config", "--includes", "--show-scope", "-z", "--get-regexp",
    "^(filter\\..*|core\\.sparsecheckout)$" } }
end

---A rule across a text, longer than any run of the character in it.
---@param text string
---@param char string
---@param least integer
---@return string
function M.longer_than(text, char, least)
  local longest = least - 1
  for run in string.gmatch(text, "%" .. char .. "+") do
    if #run > longest then longest = #run end
  end
  return rep(char, longest + 1)
end

return M
