--- Adds facts that checks need beyond the diff: paths of the tree and new texts of files.

local m = require "moonlet"
local secrets = require "moonlet.secrets"

local find, format, match, sub = string.find, string.format, string.match, string.sub
local concat = table.concat

local M = {}

local all_bytes = 16 << 20
local text_bytes = 1 << 20
local most_files = 500
local most_entries = 20000

local function is_binary(text) return find(sub(text, 1, 8000), "\0", 1, true) ~= nil end

-- Omits the texts of blobs from the journal, because git can return a blob's text again by the
-- blob's id.
local function nothing() return "" end

local function ask(ctx, mode, ids)
  return m.git.run(ctx, { "cat-file", mode }, { stdin = concat(ids, "\n") .. "\n",
    cap = all_bytes + (4 << 20),
    clean = mode == "--batch" and nothing or nil })
end

-- Returns the paths and ids of small blobs, up to a limit on the size of all of them together.
local function small_blobs(ctx, paths_asked, ids)
  local asked, list, small, room = {}, {}, {}, all_bytes
  for i, path in ipairs(paths_asked) do asked[i] = ids[path] end
  local i = 0
  for line in string.gmatch(ask(ctx, "--batch-check", asked).stdout, "[^\n]+") do
    i = i + 1
    local size = tonumber(match(line, "^%x+ blob (%d+)$"))
    if size and size <= text_bytes and size <= room then
      room = room - size
      list[#list + 1], small[#small + 1] = paths_asked[i], asked[i]
    end
  end
  return list, small
end

-- Reads blobs by their ids and returns their texts by path.
-- Git would search a tree for each blob that is named by a path.
local function read_blobs(ctx, ids, wanted)
  local known = {}
  for _, path in ipairs(wanted) do
    if ids[path] then known[#known + 1] = path end
  end
  if #known == 0 then return {} end
  local list, small = small_blobs(ctx, known, ids)
  if #list == 0 then return {} end
  local out, texts, pos = ask(ctx, "--batch", small).stdout, {}, 1
  for _, path in ipairs(list) do
    local stop = find(out, "\n", pos, true)
    local size = stop and tonumber(match(sub(out, pos, stop - 1), "^%x+ blob (%d+)$"))
    if not size or stop + size > #out then break end
    local text = sub(out, stop + 1, stop + size)
    if not is_binary(text) then texts[path] = text end
    pos = stop + size + 2
  end
  return texts
end

local function split_zero(text)
  local list = {}
  for path in string.gmatch(text or "", "([^%z]+)%z") do list[#list + 1] = path end
  return list
end

local function changed_texts(facts)
  local list = {}
  for _, file in ipairs(facts.files) do
    local read = not file.binary and not file.submodule and not file.symlink and not file.withheld
    if read and file.status ~= "deleted" and #file.parts > 0 then list[#list + 1] = file.path end
  end
  return list
end

local function read_files(ctx, wanted)
  local texts, room = {}, all_bytes
  for _, path in ipairs(wanted) do
    if room <= 0 then break end
    local text, _, cut = ctx:read(path, { cap = text_bytes, missing = "nil" })
    if text and not cut and not is_binary(text) then
      texts[path] = text
      room = room - #text
    end
  end
  return texts
end

local function totals(facts)
  local t = { files = #facts.files, staged = 0, unstaged = 0, untracked = 0, conflicted = 0,
    binary = 0, added = 0,
    deleted = 0 }
  for _, file in ipairs(facts.files) do t.added = t.added + file.added end
  facts.totals = t
end

-- Reads a whole file as if the change had added it. Returns { file, text, shown, cut }, or nil and
-- a reason.
local function whole_file(ctx, path, room)
  local what, maybe = secrets.name(path)
  if what and not maybe then return nil, "withheld: " .. what end
  local text, err, cut = ctx:read(path, { cap = math.min(text_bytes, room), missing = "nil" })
  if not text then return nil, type(err) == "table" and err.message or "it cannot be read" end
  if is_binary(text) then return nil, "binary" end
  local parsed = m.git.parse_diff(m.git.new_file_diff(path, text))[1]
  local hunks = parsed and parsed.hunks or {}
  local added = hunks[1] and hunks[1].new_count or 0
  local part = { section = "file", status = "added", added = added, deleted = 0, binary = false,
    hunks = hunks,
    secrets = {}, cut = cut or nil }
  local file = { path = path, status = "reviewed", added = added, deleted = 0, binary = false,
    parts = { part } }
  return { file = file, text = text, shown = m.facts.shown(text, path), cut = cut }
end

local function note_unread(facts, unread)
  if #unread == 0 then return end
  facts.cut = true
  facts.notes[#facts.notes + 1] = format("%d files were not read: %s", #unread,
    concat(unread, ", ", 1, math.min(#unread, 5)))
end

-- Replaces the changes of files by their whole texts.
local function whole_files(ctx, facts, list)
  local files, documents, room, unread = {}, {}, all_bytes, {}
  facts.texts = {}
  for i, path in ipairs(list) do
    local read, why = nil, "there are too many"
    if room > 0 and i <= most_files then read, why = whole_file(ctx, path, room) end
    if read then
      room = room - #read.text
      files[#files + 1] = read.file
      documents[#documents + 1] = { path = path, text = read.shown }
      if not read.cut then facts.texts[path] = read.text end
    else
      unread[#unread + 1] = format("%s (%s)", m.git.show_path(path, 120), why)
    end
  end
  note_unread(facts, unread)
  facts.files, facts.documents, facts.whole_files = files, documents, true
  facts.diff, facts.sections = "", {}
  totals(facts)
  return facts
end

-- Returns the subjects of the reviewed commits.
local function subjects(ctx, facts, at)
  local list = {}
  for _, commit in ipairs(facts.commits or {}) do list[#list + 1] = commit.subject end
  if #list == 0 and facts.target.kind == "commit" then
    local result = m.git.run(ctx, { "log", "--no-show-signature", "--no-color", "-1", "--format=%s",
      at, "--" })
    if result.code == 0 then list[1] = match(result.stdout, "^[^\n]*") end
  end
  return list
end

-- Returns the reviewed commit, or nil for uncommitted changes.
local function commit_of(target) return (target.kind == "commit" or target.kind == "range")
  and target.head or nil end

--- Returns the reviewed texts of files by path, without large, binary or missing files.
---@param facts moonlet.facts.Git completed
---@param wanted string[]
---@return table<string, string>
function M.texts(ctx, facts, wanted)
  if facts.blobs then return read_blobs(ctx, facts.blobs, wanted) end
  return read_files(ctx, wanted)
end

-- Returns all paths of the reviewed tree, and the ids of their blobs. If the tree is the work tree,
-- returns nil instead of the ids.
local function tree_of(ctx, target)
  local commit = commit_of(target)
  local call = { "ls-files", "-z", "--cached", "--others", "--exclude-standard" }
  if commit then
    call = { "ls-tree", "-r", "-z", "--full-tree", commit }
  elseif target.kind == "staged" then
    call = { "ls-files", "-z", "--stage", "--full-name" }
  end
  local listed = m.git.run(ctx, call, { cap = 32 << 20 })
  if listed.code ~= 0 or listed.cut then return nil, {} end
  local entries = split_zero(listed.stdout)
  if not commit and target.kind ~= "staged" then return entries, nil end
  local list, blobs = {}, {}
  local shape = commit and "^%d+ blob (%x+)\t(.*)$" or "^%d+ (%x+) %d\t(.*)$"
  for i, entry in ipairs(entries) do
    local id, path = match(entry, shape)
    list[i] = path or match(entry, "\t(.*)$")
    if path then blobs[path] = id end
  end
  return list, blobs
end

--- Adds `tree`, `texts` and `subjects` to the facts. If the target is a path, puts whole files in
--- place of the changes.
---@return moonlet.facts.Git
function M.complete(ctx, facts)
  facts.tree, facts.blobs = tree_of(ctx, facts.target)
  if facts.target.kind == "path" then return whole_files(ctx, facts, facts.paths or {}) end
  local commit = commit_of(facts.target)
  if commit then facts.subjects = subjects(ctx, facts, commit) end
  facts.texts = M.texts(ctx, facts, changed_texts(facts))
  return facts
end

-- Returns the files below a folder that match a pattern, in order.
local function walk(ctx, dir, matches, list, seen)
  for _, entry in ipairs(ctx:list(dir == "" and "." or dir, { missing = "nil" }) or {}) do
    seen.count = seen.count + 1
    if seen.count > most_entries then return end
    local path = dir == "" and entry.name or dir .. "/" .. entry.name
    if entry.type == "directory" then
      if entry.name ~= ".agent" and entry.name ~= ".git" then walk(ctx, path, matches, list,
        seen) end
    elseif entry.type ~= "link" and (not matches or matches(path)) then
      list[#list + 1] = path
    end
  end
end

-- Without a repository, documents can still be reviewed by file, folder or glob.
local function without_git(ctx, target, why)
  local list, name = {}, (string.gsub(target, "^%./", ""))
  if m.glob.is_glob(name) then
    walk(ctx, "", m.glob.compile(name), list, { count = 0 })
  elseif ctx:list(name == "" and "." or name, { missing = "nil" }) then
    walk(ctx, name == "." and "" or name, nil, list, { count = 0 })
  elseif ctx:read(name, { cap = 1, missing = "nil" }) then
    list[1] = name
  end
  if #list == 0 then error(why, 0) end
  local facts = { target = { kind = "path", text = target, path = name }, files = {},
    sections = {}, notes = {},
    state = {}, detached = false, shallow = false, sparse = false, cut = false, paths = list,
      diff = "" }
  local tree = {}
  walk(ctx, "", nil, tree, { count = 0 })
  facts.tree = tree
  return whole_files(ctx, facts, list)
end

--- Returns the facts about the target of a review, including the texts that checks need.
---@param target string
---@return moonlet.facts.Git
function M.facts(ctx, target)
  local ok, facts = pcall(m.facts.git, ctx, target)
  if ok then return M.complete(ctx, facts) end
  local err = facts
  local message = type(err) == "table" and rawget(err, "message")
  if type(message) == "string" and find(message, "not a git repository", 1, true) and target ~= ""
    and target ~= "HEAD"
    and not m.git.target_problem(target) and sub(target, 1, 1) ~= "/" then
    return without_git(ctx, target, err)
  end
  error(err, 0)
end

return M
