--- Finds the files that changed between two snapshots of a folder.
--- In a repository, git finds the files and skips ignored files.
--- Outside of a repository, this module walks the folder.
local host_git = require "moonlet.engine.workspace.git"
local cooperative = require "moonlet.engine.base.cooperative"

local M = {}

local walk_cap = 20000
local status_cap = 16 << 20
local git_wall_ms = 10 * 60 * 1000
local list_cap = core.process.largest_cap
local refs_cap = 256 << 10
local listed_cap = 2000
local margin_ms = 20 -- A file's timestamp may lag behind the clock by up to 10 ms.

---@class moonlet.Snapshot
---@field head string?                   commit that is checked out, or "" before the first
---@field branch string?                branch that is checked out
---@field refs table<string, string>?     commits of branches, tags and the stash
---@field files table<string, string>     path -> fingerprint of its state
---@field flagged table<string, string>?  fingerprints of tracked files marked assume-unchanged
---@field nested string[]                folders of nested repositories, where git never runs
---@field index string?                   fingerprint of git's index
---@field exclude string?                 fingerprint of info/exclude
---@field at integer                      time of the snapshot, in ms since 1970
---@field partial boolean?                the folder has too many files to examine all
---@field run table?                      run and root are nil in a restored snapshot
---@field root any?
---@field ignored string[]?               ignored paths; a wholly ignored folder is one path
---@field declared string[]?              folders whose ignored files are included

local function digest(text) return core.text.sha256(text):sub(1, 16) end

local function fingerprint(root, path)
  local info = core.file.stat(root, path)
  if not info then return "gone" end
  -- An agent can set size and mtime back, but not ctime.
  return ("%s %d %d %d %d %o"):format(info.type, info.size, info.mtime_ns, info.ctime_ns,
    info.inode, info.mode)
end

--- Reads the entries of `git status --porcelain=v2 -z` into a snapshot.
local function read_status(snapshot, text)
  local skip_next = false
  for entry in text:gmatch("([^%z]*)%z") do
    local kind = entry:sub(1, 1)
    if skip_next then
      skip_next = false
    elseif kind == "#" then
      snapshot.head = entry:match("^# branch%.oid (%S+)") or snapshot.head
      snapshot.branch = entry:match("^# branch%.head (.+)$") or snapshot.branch
    elseif kind == "!" then
      snapshot.ignored[#snapshot.ignored + 1] = entry:sub(3)
    else
      local state, path
      if kind == "1" then
        state, path = entry:match("^1 (%S+ %S+ %S+ %S+ %S+ %S+ %S+) (.*)$")
      elseif kind == "2" then
        state, path = entry:match("^2 (%S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+) (.*)$")
        skip_next = true
      elseif kind == "u" then
        state, path = entry:match("^u (%S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+) (.*)$")
      else
        state, path = entry:match("^(%?) (.*)$")
      end
      if path and path:sub(-1) == "/" then
        snapshot.nested[#snapshot.nested + 1] = path:sub(1, -2)
      elseif path then
        snapshot.files[path] = digest(state .. " " .. fingerprint(snapshot.root, path))
      end
    end
  end
  if snapshot.head == "(initial)" then snapshot.head = "" end
end

--- Calls fn(rules, folder) with the sandbox rules for git, and with a temporary folder for git.
local function held(run, fn)
  local _, _, common = host_git.dirs(run.top)
  local base = core.system.state_dir()
  local parent = base and core.file.make_root(base .. "/looks")
  local name = parent and ("%s-%s"):format(run.id, core.clock.random_hex(8))
  local folder = name and core.file.make_root(base .. "/looks/" .. name)
    and base .. "/looks/" .. name
  if not folder then return fn(nil, nil) end
  local ok, result = pcall(fn, host_git.rules(run, common or run.top .. "/.git", { folder }),
    folder)
  core.file.remove(parent, name)
  if not ok then error(result, 0) end
  return result
end

--- Runs git. Raises an error if git fails, because then the changes are unknown.
local function git(run, folder, words, cap)
  local argv = host_git.command { "-c",
    "core.ignorecase=" .. tostring(not host_git.tells_case(folder)) }
  table.move(words, 1, #words, #argv + 1, argv)
  local exit = held(run, function(rules, temporary)
    return core.process.run {
      step = "changes", cwd = folder, wall_ms = git_wall_ms, cap = cap, argv = argv,
      env = host_git.environment(run, { GIT_OPTIONAL_LOCKS = "0", GIT_NO_REPLACE_OBJECTS = "1",
        GIT_LITERAL_PATHSPECS = "1", TMPDIR = temporary }), confine = rules,
    }
  end)
  if exit.why == "exited" and exit.code == 0 then
    return exit.stdout, exit.stdout_cut or nil, exit.stderr
  end
  local said = exit.stderr ~= "" and exit.stderr or exit.error and exit.error.message or exit.why
  error({ kind = "failed", at = folder,
    hint = "repair the repository, then moonlet resume " .. run.id,
    message = ("the changes in the work tree are unknown: git %s failed: %s"):format(words[1],
      core.text.printable(said, 400)) }, 0)
end

--- Records the files below `folder`, except those in .git and .agent.
local function walk(snapshot, folder, left)
  local pending, pause = { folder }, cooperative.new()
  while #pending > 0 do
    local at = table.remove(pending)
    pause()
    for _, entry in ipairs(core.file.list(snapshot.root, at) or {}) do
      local path = at == "." and entry.name or at .. "/" .. entry.name
      if entry.type == "directory" then
        if entry.name ~= ".git" and path ~= ".agent" then pending[#pending + 1] = path end
      elseif left == 0 then
        snapshot.partial = true
        return 0
      else
        left = left - 1
        snapshot.files[path] = digest(fingerprint(snapshot.root, path))
      end
    end
  end
  return left
end

--- Adds the submodules in .gitmodules to the repositories whose files are compared one by one. Git
--- itself reports only which commit of a submodule is checked out.
local function add_submodules(snapshot, before)
  local text = core.file.read(snapshot.root, ".gitmodules", 1 << 20) or ""
  for path in ("\n" .. text):gmatch("\n%s*path%s*=%s*([^\r\n]+)") do
    path = path:match('^"(.*)"%s*$') or path:match("^(.-)%s*$")
    -- In the second snapshot, check each path, because the agent may have edited .gitmodules.
    local is_one = not before or core.file.stat(snapshot.root, path .. "/.git")
    if is_one and path ~= "." then snapshot.nested[#snapshot.nested + 1] = path end
  end
end

--- Adds tracked files marked assume-unchanged, because git reports no change of them.
local function add_flagged(snapshot, run, folder, before)
  if before and before.flagged and before.index and before.index == snapshot.index then
    snapshot.flagged = {}
    for path in pairs(before.flagged) do
      snapshot.flagged[path] = digest(fingerprint(snapshot.root, path))
    end
    return
  end
  local text, cut = git(run, folder, { "ls-files", "-v", "--stage", "-z" }, list_cap)
  snapshot.flagged, snapshot.partial = {}, snapshot.partial or cut
  local left = walk_cap
  for tag, mode, path in text:gmatch("(%a) (%d+) %x+ %d\t([^%z]+)%z") do
    if mode == "160000" then snapshot.nested[#snapshot.nested + 1] = path end
    if tag ~= "H" and tag ~= "M" and left > 0 then
      left = left - 1
      snapshot.flagged[path] = digest(fingerprint(snapshot.root, path))
    end
  end
  if left == 0 then snapshot.partial = true end
end

--- Adds branches, tags and the stash, because a commit may be reachable only from them.
local function add_refs(snapshot, run, folder)
  local text, cut = git(run, folder,
    { "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags",
    "refs/stash" }, refs_cap)
  if cut then return end
  snapshot.refs = {}
  for ref, object in text:gmatch("(%S+) (%x+)\n") do snapshot.refs[ref] = object end
end

--- Adds refs whose object has changed.
--- Skips the current branch, because add_committed() lists its changed files.
local function add_moved(paths, before, after)
  if before.branch and before.branch ~= after.branch then paths[".git/HEAD"] = true end
  for ref, object in pairs(before.refs or {}) do
    local own = ref == "refs/heads/" .. (before.branch or "")
      or ref == "refs/heads/" .. (after.branch or "")
    local now = after.refs and after.refs[ref]
    if after.refs and now ~= object and (not own or not now) then paths[".git/" .. ref] = true end
  end
end

local function add_nested(snapshot, before)
  local seen, left = {}, walk_cap
  local function add(list)
    for _, path in ipairs(list) do
      if not seen[path] and core.file.stat(snapshot.root, path) then
        seen[path] = true
        left = walk(snapshot, path, left)
      end
    end
  end
  -- A nested repository of the earlier snapshot may be a plain folder now, so examine it again.
  add(before and before.nested or {})
  add(snapshot.nested)
end

--- Adds the files that git ignores in the declared folders. Without them, a step that changes only
--- ignored files would seem to change nothing.
local function add_ignored(snapshot, run, folder)
  if not snapshot.declared[1] then return end
  local words = { "ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--",
    table.unpack(snapshot.declared) }
  local text, cut = git(run, folder, words, list_cap)
  local left = walk_cap
  for path in text:gmatch("([^%z]+)%z") do
    if path:sub(-1) ~= "/" and path:sub(1, 7) ~= ".agent/" then
      left = left - 1
      if left < 0 then break end
      snapshot.files[path] = digest(fingerprint(snapshot.root, path))
    end
  end
  if cut or left < 0 then snapshot.partial = true end
end

local function git_snapshot(run, folder, root, whole, before, declared)
  local own, common = host_git.dirs(folder)
  local snapshot = { run = run, root = root, files = {}, nested = {}, ignored = {},
    at = core.clock.wall(), declared = before and before.declared or declared or {},
    index = own and fingerprint(own, "index"),
    exclude = common and fingerprint(common, "info/exclude") }
  local text, said
  text, snapshot.partial, said = git(run, folder, { "status", "--porcelain=v2", "--branch", "-z",
    "--untracked-files=all", "--no-renames", "--ignore-submodules=dirty",
    before and "--ignored=matching" or "--ignored=no" }, status_cap)
  read_status(snapshot, text)
  -- A file that became unreadable counts as changed.
  for _, path in ipairs(host_git.unread(said)) do snapshot.files[path] = "unread" end
  add_submodules(snapshot, before)
  add_ignored(snapshot, run, folder)
  if whole then
    add_flagged(snapshot, run, folder, before)
    add_refs(snapshot, run, folder)
  end
  add_nested(snapshot, before)
  return snapshot
end

--- Takes a snapshot of a folder. Raises an error if the folder cannot be examined.
---@param folder string  absolute path
---@param whole boolean?  the agent may write git's files, too: also check flagged files and refs
---@param before moonlet.Snapshot?  snapshot to compare with
---@param declared string[]?  folders whose ignored files are included
---@return moonlet.Snapshot
function M.snapshot(run, folder, whole, before, declared)
  local root, err = core.file.root(folder)
  if not root then error(err, 0) end
  if run.home.git then return git_snapshot(run, folder, root, whole, before, declared) end
  local snapshot = { root = root, files = {}, nested = {}, at = core.clock.wall() }
  walk(snapshot, ".", walk_cap)
  return snapshot
end

local function flat(map)
  local list = core.json.array {}
  for path, state in pairs(map) do
    list[#list + 1] = path
    list[#list + 1] = state
  end
  return list
end

local function map_of(list)
  local map = {}
  for i = 1, #list, 2 do map[list[i]] = list[i + 1] end
  return map
end

--- Converts a snapshot to a JSON value. Its strings may contain any bytes.
---@param snapshot moonlet.Snapshot
function M.record(snapshot)
  return { head = snapshot.head, files = flat(snapshot.files),
    flagged = snapshot.flagged and flat(snapshot.flagged),
    nested = core.json.array(snapshot.nested), index = snapshot.index, exclude = snapshot.exclude,
    at = snapshot.at, partial = snapshot.partial, branch = snapshot.branch,
    refs = snapshot.refs and flat(snapshot.refs),
    declared = core.json.array(snapshot.declared or {}) }
end

---@param kept table  result of record()
---@return moonlet.Snapshot
function M.of_record(kept)
  return { head = kept.head, files = map_of(kept.files),
    flagged = kept.flagged and map_of(kept.flagged), nested = kept.nested, index = kept.index,
    exclude = kept.exclude, at = kept.at, partial = kept.partial, branch = kept.branch,
    refs = kept.refs and map_of(kept.refs), declared = kept.declared or {} }
end

local function differing(paths, before, after)
  for path, state in pairs(after) do
    if before[path] ~= state then paths[path] = true end
  end
  for path in pairs(before) do
    if after[path] == nil then paths[path] = true end
  end
end

--- Adds files that differ between the commits checked out before and after, because git reports no
--- change of a committed file.
local function add_committed(paths, before, after)
  if before.head == after.head or not after.run then return end
  paths[".git/HEAD"] = true
  local words = { "diff", "--name-only", "-z", "--ignore-submodules=none" }
  for _, option in ipairs(host_git.diff_options) do words[#words + 1] = option end
  if before.head == "" or after.head == "" then
    words = { "ls-tree", "-r", "--name-only", "-z", "--full-tree" }
  end
  for _, head in ipairs { before.head, after.head } do
    if head ~= "" then words[#words + 1] = head end
  end
  words[#words + 1] = "--"
  -- If git fails because one of the commits is missing, still report that HEAD was moved.
  local asked, text = pcall(git, after.run, after.run.top, words, status_cap)
  for path in (asked and text or ""):gmatch("([^%z]+)%z") do paths[path] = true end
end

local function is_rule(path) return path:match("[^/]*$") == ".gitignore" end

--- If the agent changed an ignore rule, adds ignored files that are new or changed, because the new
--- rule may hide them. Otherwise ignored files are not compared.
local function add_hidden(paths, before, after)
  local function is_new(path)
    local info = core.file.stat(after.root, (path:gsub("/$", "")))
    return info and info.ctime_ns // 1000000 >= before.at - margin_ms
  end
  local other = before.exclude ~= after.exclude
  if other then paths[".git/info/exclude"] = true end
  for path in pairs(paths) do other = other or is_rule(path) end
  for _, path in ipairs(after.ignored) do other = other or is_rule(path) and is_new(path) end
  if not other then return end
  for _, path in ipairs(after.ignored) do
    if path:sub(1, 7) ~= ".agent/" and is_new(path) then paths[path] = true end
  end
end

--- Returns the sorted paths that differ between two snapshots. If HEAD was moved, the list also
--- contains ".git/HEAD".
---@param before moonlet.Snapshot
---@param after moonlet.Snapshot
function M.between(before, after)
  local found = {}
  differing(found, before.files, after.files)
  if before.flagged and after.flagged then
    for path, state in pairs(after.flagged) do
      if before.flagged[path] ~= state then found[path] = true end
    end
  end
  if before.head and after.head then add_committed(found, before, after) end
  add_moved(found, before, after)
  if before.at and after.ignored then add_hidden(found, before, after) end
  local paths = {}
  for path in pairs(found) do paths[#paths + 1] = path end
  table.sort(paths)
  local cut = before.partial or after.partial or #paths > listed_cap or false
  for i = #paths, listed_cap + 1, -1 do paths[i] = nil end
  return paths, cut
end

--- Formats the list of changed paths for a person.
function M.text(paths, cut)
  if #paths == 0 then return "nothing that git or a scan of the folder would show\n" end
  local lines = {}
  for i = 1, math.min(#paths, 100) do lines[i] = "  " .. core.text.printable(paths[i], 200) end
  if #paths > 100 then lines[#lines + 1] = ("  and %d more"):format(#paths - 100) end
  if cut then lines[#lines + 1] = "  (there were too many to check all of them)" end
  return table.concat(lines, "\n") .. "\n"
end

return M
