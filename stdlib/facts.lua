--- Collects deterministic facts about the changes in a repository, without a model.
--- `facts.diff` is safe to print: secrets are redacted and files that contain them are withheld.
--- `hunks` contain unredacted output of git, so they never leave the process.

local clean = require "moonlet.facts.clean"
local git = require "moonlet.git"
local paths = require "moonlet.paths"
local secrets = require "moonlet.secrets"

local find, format, gmatch, match, sub = string.find, string.format, string.gmatch, string.match,
  string.sub
local concat = table.concat

---@class moonlet.facts
local M = {}

local EMPTY_TREE = {
  [40] = "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
  [64] = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}

local function invalid(target, why, hint)
  error({ kind = "invalid", message = format("target %s: %s", git.show_path(target, 80), why),
    hint = hint }, 0)
end

-- Parses a target without starting git. Git resolves revisions later.
local function read_target(text)
  if not text or text == "" or text == "worktree" then
    return { kind = "worktree", text = text or "" }
  end
  if text == "staged" then return { kind = "staged", text = text } end
  local problem = git.target_problem(text)
  if problem then
    invalid(text, problem,
      "name a range such as main..HEAD, a commit, a path (./NAME for an odd one), or staged")
  end
  if sub(text, 1, 2) == "./" then return { kind = "path", text = text, path = sub(text, 3) } end
  if sub(text, 1, 1) == "/" or text == ".." or sub(text, 1, 3) == "../" then
    invalid(text, "it is not a path inside the repository",
      "give the path relative to the top of the work tree")
  end
  local from, dots, to = match(text, "^(.-)(%.%.%.?)(.*)$")
  if dots then
    from, to = from == "" and "HEAD" or from, to == "" and "HEAD" or to
    return { kind = "range", text = text, dots = dots, from = from, to = to }
  end
  return { kind = "commit", text = text }
end

local function resolve_call(target)
  local names
  if target.kind == "range" then
    names = { target.from .. "^{commit}", target.to .. "^{commit}" }
  elseif target.kind == "commit" then
    names = { target.text .. "^{commit}", target.text .. "^{commit}^1" }
  else
    return nil
  end
  return { { "cat-file", "--batch-check=%(objectname) %(objecttype)" },
    { stdin = concat(names, "\n") .. "\n" } }
end

-- Fills in the commit ids of base and head. A target that git does not know as a revision becomes a path.
local function resolve(target, result)
  local ids = {}
  for line in string.gmatch(result.stdout or "", "[^\n]+") do
    ids[#ids + 1] = match(line, "^(%x+) commit$") or false
  end
  if target.kind == "commit" and ids[1] then
    target.head = ids[1]
    target.base = ids[2] or EMPTY_TREE[#ids[1]]
    target.root = not ids[2]
  elseif target.kind == "range" and ids[1] and ids[2] then
    target.base, target.head = ids[1], ids[2]
  else
    if target.kind == "range" and (ids[1] or ids[2]) then
      invalid(target.text, format("there is no commit %s",
        git.show_path(ids[1] and target.to or target.from, 80)),
        "git log --oneline lists the commits")
    end
    target.was = target.kind
    target.kind, target.path = "path", target.text
  end
end

local function pathspec(target)
  if target.kind ~= "path" then return {} end
  local magic = find(target.path, "[*?%[]") and "glob" or "literal"
  return { "--", format(":(top,%s)%s", magic, target.path == "." and "" or target.path) }
end

local function joined(...)
  local all = {}
  for _, list in ipairs { ... } do
    for i = 1, #list do all[#all + 1] = list[i] end
  end
  return all
end

-- Returns the independent git calls that read a change, by name.
local function calls_for(target, env, opts)
  local spec = pathspec(target)
  local cap = opts.diff_cap or 8388608
  local changes = { "--raw", "--numstat", "-p", "-z" }
  local function diff(first, last)
    return { git.diff_args(joined({ "diff" }, first, changes), last),
      { cap = cap, env = env, journal = opts.journal, clean = clean.diff } }
  end
  -- Lists of paths contain no secrets and may be long, so they are not redacted.
  local function other(args, room)
    return { args, { cap = room, env = env, journal = opts.journal, clean = false } }
  end
  local status = { "status", "--porcelain=v2", "--branch", "-z", "--find-renames=50%",
    "--ignore-submodules=dirty" }
  local tracked_only = target.kind ~= "worktree" and target.kind ~= "path"
  local calls = { status = other(joined(status, {
    tracked_only and "--untracked-files=no" or "--untracked-files=all",
  }, spec), 33554432) }
  if target.kind == "worktree" or target.kind == "path" then
    calls.staged = diff({ "--cached" }, spec)
    calls.unstaged = diff({ "--ours" }, spec)
  elseif target.kind == "staged" then
    calls.staged = diff({ "--cached" })
  else
    local range = target.dots == "..." and { target.base .. "..." .. target.head }
      or { target.base, target.head }
    calls.range = diff({}, joined(range, { "--" }))
    if target.kind == "range" then
      calls.log = other({ "log", "-z", "--no-show-signature", "--no-color", "--max-count=200",
        "--format=%H%x1f%an%x1f%aI%x1f%s", target.base .. target.dots .. target.head, "--" },
        1048576)
      calls.log[2].clean = nil
    end
  end
  if target.kind == "path" then
    calls.paths = other(joined({ "ls-files", "-z", "--cached", "--others", "--exclude-standard" },
      spec), 4194304)
  end
  if opts.survey then calls.survey = other({ "ls-files", "-z", "--cached" }, 33554432) end
  return calls
end

local ORDER = { "status", "staged", "unstaged", "range", "log", "paths", "survey" }

local function run_calls(ctx, calls)
  local names, list, results = {}, {}, {}
  for _, name in ipairs(ORDER) do
    if calls[name] then names[#names + 1], list[#list + 1] = name, calls[name] end
  end
  for i, result in ipairs(git.run_all(ctx, list)) do results[names[i]] = result end
  return results
end

local function split_zero(text)
  local list = {}
  for item in gmatch(text, "([^\0]*)\0") do list[#list + 1] = item end
  return list
end

local function new_file(facts, path)
  local file = {
    path = path, status = "modified", staged = false, unstaged = false, untracked = false,
    conflicted = false, added = 0, deleted = 0, binary = false, executable = false, symlink = false,
    submodule = false, parts = {},
  }
  facts.files[#facts.files + 1] = file
  facts.by_path[path] = file
  return file
end

local function read_modes(file, old, new)
  if old == "120000" or new == "120000" then file.symlink = true end
  if old == "160000" or new == "160000" then file.submodule = true end
  if new == "100755" then file.executable = true end
  if old and new and old ~= new and old ~= "000000" and new ~= "000000" then
    file.mode_change = old .. " -> " .. new
  end
end

local function add_entries(facts, status)
  for _, entry in ipairs(status.entries) do
    local path = entry.path
    if entry.untracked then
      -- Files that moonlet itself writes below .agent are ignored.
      if sub(path, 1, 7) ~= ".agent/" then
        local nested = sub(path, -1) == "/"
        if nested then path = sub(path, 1, -2) end
        local file = facts.by_path[path] or new_file(facts, path)
        file.untracked, file.nested = true, nested
        if not file.staged then file.status = "untracked" end
      end
    else
      local file = facts.by_path[path] or new_file(facts, path)
      file.old_path = entry.old_path
      file.conflicted = entry.conflicted == true
      file.staged = not file.conflicted and entry.index ~= "."
      file.unstaged = not file.conflicted and entry.worktree ~= "."
      local letter = entry.index ~= "." and entry.index or entry.worktree
      if entry.worktree == "D" then letter = "D" end
      file.status = file.conflicted and "unmerged" or git.status_word(letter)
      local modes = entry.modes
      read_modes(file, modes[1], modes[2])
      read_modes(file, modes[2] ~= "000000" and modes[2] or modes[1], modes[3])
      if sub(entry.submodule, 1, 1) == "S" then file.submodule = true end
    end
  end
end

local function sum_part(file, part)
  file.parts[#file.parts + 1] = part
  file.added, file.deleted = file.added + part.added, file.deleted + part.deleted
  if part.binary then file.binary = true end
end

-- Lists the folders that git could not open. Git only warns about them and omits their files.
local function add_unseen(facts, result)
  for line in string.gmatch(result.stderr or "", "[^\n]+") do
    local path, why = match(line, "could not open directory '(.*)': (.*)$")
    -- Git truncates a long warning, so the cause of the failure may be missing from it.
    if not path then
      path, why = match(line, "could not open directory '(.*)$"), "it cannot be opened"
    end
    if path and #facts.unseen < 20 then
      path = sub(path, -1) == "/" and sub(path, 1, -2) or path
      facts.unseen[#facts.unseen + 1] = { path = path, why = git.show_path(why, 80) }
      facts.notes[#facts.notes + 1] = format("%s could not be read: %s", git.show_path(path, 120),
        git.show_path(why, 80))
    end
  end
end

local function add_section(facts, name, result)
  local changes, patch = git.parse_changes(result.stdout)
  local by_path = {}
  for _, diff in ipairs(git.parse_diff(patch)) do by_path[diff.path] = diff end
  local shown = {}
  for _, change in ipairs(changes) do
    local file = facts.by_path[change.path] or new_file(facts, change.path)
    local diff = by_path[change.path]
    local part = {
      section = name, status = change.status, old_path = change.old_path,
      old_mode = change.old_mode, new_mode = change.new_mode, added = change.added,
      deleted = change.deleted, binary = change.binary, hunks = diff and diff.hunks or {},
      secrets = {}, cut = (diff and diff.cut)
        or (not diff and change.added + change.deleted > 0) or nil,
    }
    if name == "range" then
      file.status, file.old_path = change.status, change.old_path
      read_modes(file, change.old_mode, change.new_mode)
    end
    if diff then
      local text, found, cut = clean.chunk(change.path, sub(patch, diff.from, diff.to),
        result.redacted)
      shown[#shown + 1], part.secrets, part.cut = text, found, cut or part.cut
    end
    sum_part(file, part)
  end
  if #shown > 0 then facts.sections[#facts.sections + 1] = { name = name, diff = concat(shown) } end
  if result.cut then
    facts.cut = true
    facts.notes[#facts.notes + 1] = format("the %s diff is too long: its end was not read", name)
  end
end

-- Takes a path's type from its folder's listing, because opening the path would follow a link.
local function entry_type(ctx, path, cache)
  local dir, name = paths.split(path)
  local types = cache[dir]
  if not types then
    types = {}
    for _, entry in ipairs(ctx:list(dir == "" and "." or dir, { missing = "nil" }) or {}) do
      types[entry.name] = entry.type
    end
    cache[dir] = types
  end
  return types[name]
end

local function read_untracked(ctx, file, room, shown, cache, part)
  local what, maybe = secrets.name(file.path)
  file.symlink = entry_type(ctx, file.path, cache) == "link" or file.symlink
  if file.symlink then return 0 end
  if what and not maybe then
    file.withheld, file.unread = true, "withheld: " .. what
    return 0
  end
  local text, err, cut, redacted = ctx:read(file.path, { cap = room, missing = "nil" })
  if not text then
    file.unread = type(err) == "table" and err.message or "it cannot be read"
  elseif find(sub(text, 1, 8000), "\0", 1, true) then
    part.binary = true
    file.magic = sub(text, 1, 16)
  else
    local diff = git.new_file_diff(file.path, text)
    local parsed = git.parse_diff(diff)[1]
    part.hunks, part.cut = parsed.hunks, cut and true or nil
    part.added = parsed.hunks[1] and parsed.hunks[1].new_count or 0
    local shown_diff, found, much = clean.chunk(file.path, diff, redacted)
    shown[#shown + 1], part.secrets, part.cut = shown_diff, found, much or part.cut
  end
  if cut then file.large = true end
  return text and #text or 0
end

local function add_untracked(ctx, facts, opts)
  local left, room = opts.untracked_files or 1000, opts.untracked_bytes or 8388608
  local shown, cache, skipped, each = {}, {}, 0, 524288
  for _, file in ipairs(facts.files) do
    if file.untracked and not file.nested then
      if left <= 0 or room <= 0 then
        skipped = skipped + 1
        file.skipped = true
      else
        left = left - 1
        local part = { section = "untracked", status = "added", added = 0, deleted = 0,
          binary = false, hunks = {}, secrets = {} }
        room = room - read_untracked(ctx, file, math.min(each, room), shown, cache, part)
        sum_part(file, part)
      end
    end
  end
  if #shown > 0 then
    facts.sections[#facts.sections + 1] = { name = "untracked", diff = concat(shown) }
  end
  if skipped > 0 then
    facts.cut = true
    facts.notes[#facts.notes + 1] = format("%d new files were not opened: there are too many",
      skipped)
  end
end

local function add_totals(facts)
  local t = { files = #facts.files, staged = 0, unstaged = 0, untracked = 0,
    conflicted = 0, binary = 0, added = 0, deleted = 0 }
  for _, file in ipairs(facts.files) do
    for _, key in ipairs { "staged", "unstaged", "untracked", "conflicted", "binary" } do
      if file[key] then t[key] = t[key] + 1 end
    end
    t.added, t.deleted = t.added + file.added, t.deleted + file.deleted
  end
  facts.totals = t
end

local function add_log(facts, result)
  facts.commits = {}
  if result.code ~= 0 then return end
  local text = sub(result.stdout, -1) == "\0" and result.stdout or result.stdout .. "\0"
  for _, record in ipairs(split_zero(text)) do
    local id, author, time, subject = match(record, "^(%x+)\31(.-)\31(.-)\31(.*)$")
    if id then
      facts.commits[#facts.commits + 1] = { id = id, author = author, time = time,
        subject = subject }
    end
  end
end

-- Returns the files for which wanted(name, path) is true. `result` is git's list of tracked files.
local function pick(result, wanted)
  local found = {}
  for path in gmatch(result.stdout or "", "([^\0]*)\0") do
    if wanted(match(path, "^.*/(.*)$") or path, path) then found[#found + 1] = path end
  end
  return found
end

-- Resolves the target, and reads which of the repository's filters must be switched off.
local function prepare(ctx, target)
  local calls = { git.config_call(), resolve_call(target) }
  local results = git.run_all(ctx, calls)
  local env, settings = git.read_config(results[1])
  if calls[2] then
    if results[2].code ~= 0 then error(git.failure(results[2], "look up the target"), 0) end
    resolve(target, results[2])
  end
  return env, settings
end

local function check_path(ctx, facts, target)
  if target.kind ~= "path" then return end
  if #facts.files > 0 or #(facts.paths or {}) > 0 then return end
  local there = ctx:list(target.path == "." and "." or target.path, { missing = "nil" })
    or ctx:read(target.path, { cap = 1, missing = "nil" })
  if there then return end
  if target.text == "HEAD" and not facts.head then
    invalid(target.text, "there is no commit yet",
      "leave out the target to see uncommitted changes")
  end
  invalid(target.text, "it is neither a commit, a range nor a path in this repository",
    "git log --oneline lists the commits, git ls-files the files")
end

--- Reads the changes from git and from untracked files.
--- Nothing is written, and none of the repository's programs is started.
--- Errors: `invalid` not a repository, or an unknown target; `failed` git could not read it.
--- ```lua
--- local facts = m.facts.git(ctx, "", { untracked_files = 100 })
--- facts.files[1].path --> "src/a.lua"
--- facts.files[1].added --> 1
--- ```
---@param ctx moonlet.Ctx
---@param target string? "" (work tree against HEAD), "staged", a commit, A..B, A...B, a path
---@param opts moonlet.facts.Options?
---@return moonlet.facts.Git
function M.git(ctx, target, opts)
  opts = opts or {}
  target = read_target(target)
  local env, settings = prepare(ctx, target)
  local results = run_calls(ctx, calls_for(target, env, opts))
  if results.status.code ~= 0 then
    error(git.failure(results.status, "read the state of the work tree"), 0)
  end

  local status = git.parse_status(results.status.stdout)
  local facts = {
    target = target, branch = status.branch, detached = status.detached, head = status.head,
    upstream = status.upstream, ahead = status.ahead, behind = status.behind,
    sparse = settings.sparse, files = {}, by_path = {}, sections = {}, unseen = {}, notes = {},
    cut = false,
  }
  facts.state, facts.shallow = git.state(ctx)
  add_unseen(facts, results.status)
  if results.status.cut then
    facts.cut = true
    facts.notes[#facts.notes + 1] = "the list of changed files is too long: its end was not read"
  end
  if target.kind == "worktree" or target.kind == "path" then
    add_entries(facts, status)
  elseif target.kind == "staged" then
    local staged = {}
    for _, entry in ipairs(status.entries) do
      -- The target is the index, so ignore changes in the work tree that are not staged.
      if entry.index ~= "." or entry.conflicted then
        entry.worktree, entry.modes[3] = ".", entry.modes[2]
        staged[#staged + 1] = entry
      end
    end
    add_entries(facts, { entries = staged })
  end
  for _, name in ipairs { "staged", "unstaged", "range" } do
    local result = results[name]
    if result and result.code == 0 then
      add_section(facts, name, result)
    elseif result then
      facts.cut = true
      facts.notes[#facts.notes + 1] = format("the %s diff could not be read: %s", name,
        git.first_line(result.stderr))
    end
  end
  if target.kind == "worktree" or target.kind == "path" then add_untracked(ctx, facts, opts) end
  if results.log then add_log(facts, results.log) end
  if results.survey then facts.survey = pick(results.survey, opts.survey) end
  if results.paths then facts.paths = split_zero(results.paths.stdout or "") end
  check_path(ctx, facts, target)
  if target.root and facts.shallow then
    facts.notes[#facts.notes + 1] =
      "the history is cut short here, so the whole tree reads as added: git fetch --unshallow, "
        .. "or fetch-depth: 0"
  end
  for _, name in ipairs(settings.filters) do
    facts.notes[#facts.notes + 1] = format("the repository's own filter %s was not run",
      git.show_path(name, 60))
  end
  add_totals(facts)
  facts.by_path = nil
  local texts = {}
  for i, section in ipairs(facts.sections) do texts[i] = section.diff end
  facts.diff = concat(texts)
  return facts
end

local function where(file)
  local words = {}
  for _, key in ipairs { "conflicted", "staged", "unstaged", "untracked" } do
    if file[key] then words[#words + 1] = key end
  end
  return concat(words, ", ")
end

--- Describes a changed file in one line, for people and models.
--- ```lua
--- m.facts.line(m.facts.git(ctx).files[1]) --> "modified src/a.lua (+1 -1) [unstaged]"
--- ```
---@param file moonlet.facts.File
---@return string
function M.line(file)
  local words = { file.status, git.show_path(file.path) }
  if file.old_path then words[#words + 1] = "from " .. git.show_path(file.old_path) end
  words[#words + 1] = file.binary and "(binary)" or format("(+%d -%d)", file.added, file.deleted)
  for _, key in ipairs { "symlink", "submodule" } do
    if file[key] then words[#words + 1] = key end
  end
  if file.mode_change then words[#words + 1] = "mode " .. file.mode_change end
  local state = where(file)
  if state ~= "" and state ~= file.status then words[#words + 1] = "[" .. state .. "]" end
  return concat(words, " ")
end

--- Returns a text without suspected secrets, so that it may be printed and stored.
--- ```lua
--- m.facts.shown "plain words" --> "plain words"
--- ```
---@param text string  a diff, or anything else
---@param path string? path of the file that the text comes from
---@return string
function M.shown(text, path) return clean.text(text, path) end

--- Returns the state of the repository and the list of changed files as text, without the diff.
--- ```lua
--- m.facts.text(m.facts.git(ctx), { files = 10 }):find "src/a.lua" ~= nil --> true
--- ```
---@param opts {files: integer?}?  most files to list (default 300)
---@return string
function M.text(facts, opts)
  local limit = opts and opts.files or 300
  local lines = {}
  local function say(...) lines[#lines + 1] = format(...) end
  say("target: %s", facts.target.text ~= "" and git.show_path(facts.target.text)
    or "the work tree against HEAD")
  say("branch: %s", facts.branch and git.show_path(facts.branch) or "(detached HEAD)")
  say("head: %s", facts.head or "(no commit yet)")
  if facts.upstream then
    say("upstream: %s, %d ahead, %d behind", git.show_path(facts.upstream), facts.ahead or 0,
      facts.behind or 0)
  end
  if #facts.state > 0 then say("in progress: %s", concat(facts.state, ", ")) end
  if facts.shallow then say("the clone is shallow") end
  if facts.sparse then say("the checkout is sparse") end
  local t = facts.totals
  say("files: %d (%d staged, %d unstaged, %d untracked, %d conflicted), +%d -%d lines",
    t.files, t.staged, t.unstaged, t.untracked, t.conflicted, t.added, t.deleted)
  for i = 1, math.min(#facts.files, limit) do say("  %s", M.line(facts.files[i])) end
  if #facts.files > limit then say("  and %d more", #facts.files - limit) end
  for _, note in ipairs(facts.notes) do say("note: %s", note) end
  return concat(lines, "\n") .. "\n"
end

return M
