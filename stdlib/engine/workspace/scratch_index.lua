--- Manages scratch indexes: temporary git indexes with which the host examines a work tree.
--- The user's and the agent's indexes are only read.
--- No git command here enters a nested repository, because an agent may control its config.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local files = require "moonlet.engine.base.files"
local git = require "moonlet.engine.workspace.git"
local cooperative = require "moonlet.engine.base.cooperative"

local M = {}

local list_cap = core.process.largest_cap
local whole_file = 1 << 40

local function verb_of(words)
  local is_setting = false
  for _, word in ipairs(words) do
    if word:sub(1, 1) ~= "-" and not is_setting then return word end
    is_setting = word == "-c"
  end
  return "?"
end

---@class moonlet.GitOptions
---@field env table<string, string>?
---@field may_fail boolean?
---@field may_cut boolean?
---@field whole boolean?    fail if git could not read a file
---@field cap integer?
---@field between string?
---@field stdin_file string?
---@field stdout_file string?

--- These messages mean that the machine has a problem, such as a full disk, rather than git or the
--- repository.
local of_the_machine = { "No space left on device", "Disk quota exceeded", "Read%-only file system",
  "Too many open files", "Input/output error", "Cannot allocate memory" }

local function fail(verb, exit)
  local said = exit.stderr ~= "" and exit.stderr or exit.error and exit.error.message or exit.why
  local err = { kind = "failed", message = ("git %s failed: %s"):format(verb,
    core.text.printable(said, 600)) }
  for _, text in ipairs(of_the_machine) do
    if said:find(text) then infrastructure_error.mark(err) end
  end
  error(err, 0)
end

local function refuse_unread(cwd, verb, exit)
  local paths = git.unread(exit.stderr)
  if #paths == 0 then return end
  error({ kind = "failed", message = ("git %s cannot read %s in %s: %s"):format(verb,
    core.text.printable(paths[1], 200), cwd,
    core.text.printable(exit.stderr:match("([^:\n]*)\n*$"), 100)),
    hint = "check the permissions of the file and its folders" }, 0)
end

--- Runs git, and raises an error if it fails.
---@param options moonlet.GitOptions?
function M.git(run, key, cwd, words, options)
  options = options or {}
  local exit = core.process.run {
    step = key .. "/worktree", argv = git.command(words), cwd = cwd,
    env = git.environment(run, options.env), wall_ms = 10 * 60 * 1000,
    cap = options.cap or options.stdout_file and whole_file or 8 << 20,
    stdin_file = options.stdin_file, stdout_file = options.stdout_file,
  }
  if exit.stdout_write_error then
    error(infrastructure_error.mark { kind = "failed", message = ("cannot write %s: %s"):format(
      run.absolute(options.stdout_file), exit.stdout_write_error) }, 0)
  end
  if exit.why == "exited" and (exit.code == 0 or options.may_fail) then
    if options.whole then refuse_unread(cwd, verb_of(words), exit) end
    if not exit.stdout_cut or options.may_cut then return exit end
    error({ kind = "failed",
      message = ("git %s lists more than can be read"):format(verb_of(words)) }, 0)
  end
  fail(verb_of(words), exit)
end

--- Runs a git command with a list on standard input, separated by NUL bytes or `options.between`.
---@param dir string    folder below `.agent`
---@param options moonlet.GitOptions
---@return table? exit  nil if the list is empty
function M.feed(run, key, dir, cwd, command, list, options)
  if #list == 0 then return nil end
  local root, between = files.make_root(run.absolute(dir)), options.between or "\0"
  files.write(root, "changes.list", table.concat(list, between) .. between)
  options.stdin_file = dir .. "/changes.list"
  local ok, exit = pcall(M.git, run, key, cwd, command, options)
  core.file.remove(root, "changes.list")
  if not ok then error(exit, 0) end
  return exit
end

--- Copies an index with its modification time, which git needs to detect changed files.
---@return boolean  false if there is no index
function M.copy(from, to)
  -- `.git/index` may be a symbolic link to another folder, which core.tree.copy() would refuse.
  local folder, name = (core.system.real_path(from) or from):match("^(.*)/([^/]+)$")
  local root = files.root(folder)
  if not (root and files.is_there(root, name)) then return false end
  local other, copy = to:match("^(.*)/([^/]+)$")
  return files.must(core.tree.copy(root, name, files.must(core.file.root(other)), copy))
end

--- Reports whether an index may be split. Git stores a part of a split index in a second file.
local function is_split(path)
  local root = files.root(path:match "^(.*)/")
  for _, entry in ipairs(root and files.list(root, ".") or {}) do
    if entry.name:sub(1, 12) == "sharedindex." then return true end
  end
  return false
end

--- Copies the user's index into one file, even if it is split.
---@param users string  absolute path of the user's index
---@param file string    absolute path of the copy
---@return boolean  false if there is no index
function M.copy_users(run, key, users, file)
  if not M.copy(users, file) then return false end
  if is_split(users) then
    M.git(run, key, run.top, { "update-index", "--no-split-index" },
      { env = { GIT_INDEX_FILE = file } })
  end
  return true
end

--- Runs a git command that compares tracked files with an index.
--- Returns three lists: modified, deleted and unmerged files.
function M.tracked_changes(run, key, cwd, command, env)
  local exit = M.git(run, key, cwd, command, { env = env, cap = list_cap, whole = true })
  local changed, gone, unmerged = {}, {}, {}
  for state, path in exit.stdout:gmatch("(%u)%z([^%z]+)%z") do
    local list = state == "D" and gone or state == "U" and unmerged or changed
    list[#list + 1] = path
  end
  return changed, gone, unmerged
end

--- These commands add paths to an index, and remove paths from it.
local adding = { "update-index", "-z", "--add", "--replace", "--remove", "--stdin" }
local removing = { "update-index", "-z", "--force-remove", "--stdin" }

--- Adds files to an index and removes deleted files.
---@return boolean all  true if git accepted all paths
---@return string[] refused
function M.take(run, key, dir, cwd, changed, gone, env)
  M.feed(run, key, dir, cwd, removing, gone, { env = env })
  local exit, refused = M.feed(run, key, dir, cwd, adding, changed, { env = env }), {}
  for path in (exit and exit.stderr or ""):gmatch "Ignoring path ([^\n]*)" do
    refused[#refused + 1] = path
  end
  return #refused == 0, refused
end

--- Calls fn(env) with a temporary index, which is removed afterwards.
---@param parent string  absolute path of a folder for the index
function M.with(parent, name, fn)
  local root = files.make_root(parent)
  local function clear()
    for _, suffix in ipairs { ".index", ".index.lock" } do
      core.file.remove(root, name .. suffix)
    end
  end
  -- A killed host may have left these files.
  clear()
  local ok, result = pcall(fn, { GIT_INDEX_FILE = ("%s/%s.index"):format(parent, name) })
  clear()
  if not ok then error(result, 0) end
  return result
end

--- Formats index entries as input of `update-index --index-info`.
---@param entries moonlet.IndexEntry[]
function M.info_of(entries)
  local list = {}
  for i, entry in ipairs(entries) do
    list[i] = ("%s %s 0\t%s"):format(entry.mode, entry.id, entry.path)
  end
  return list
end

---@class moonlet.IndexEntry
---@field path string
---@field mode string   git's mode: 100644, 100755, 120000, 160000
---@field id string
---@field tag string?   tag in the output of `git ls-files -t`
---@field assumed boolean?  the entry is marked assume-unchanged

--- Returns all entries of an index.
---@return moonlet.IndexEntry[]
function M.entries(run, key, env)
  local list = {}
  local exit = M.git(run, key, run.top, { "ls-files", "-v", "--stage", "-z" },
    { cap = list_cap, env = env })
  for tag, mode, id, path in exit.stdout:gmatch("(%a) (%d+) (%x+) 0\t([^%z]+)%z") do
    local plain = tag:upper()
    list[#list + 1] = { tag = plain, mode = mode, id = id, path = path,
      assumed = tag ~= plain or nil }
  end
  return list
end

--- Makes git examine all existing files, even those marked skip-worktree or assume-unchanged.
---@param root any  opened work tree
---@param entries moonlet.IndexEntry[]
---@param env table<string, string>
function M.see(run, key, dir, cwd, root, entries, env)
  local there, assumed, breathe = {}, {}, cooperative.new()
  for _, entry in ipairs(entries) do
    if entry.assumed then assumed[#assumed + 1] = entry.path end
    -- A submodule that is not checked out still has a folder.
    if entry.tag == "S" and entry.mode ~= "160000" then
      local info = core.file.stat(root, entry.path)
      if info and info.type ~= "directory" then
        there[#there + 1] = entry.path
        entry.tag = "H"
      end
    end
    breathe()
  end
  M.feed(run, key, dir, cwd, { "update-index", "-z", "--no-assume-unchanged", "--stdin" }, assumed,
    { env = env })
  M.feed(run, key, dir, cwd, { "update-index", "-z", "--no-skip-worktree", "--stdin" }, there,
    { env = env })
end

return M
