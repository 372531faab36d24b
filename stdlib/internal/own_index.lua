--- An index of git's that is the host's own: what a work tree holds is taken into it, and the one of the
--- user, or of an agent, is only read. No command of git that would look into a nested repository is used:
--- the config that lies there is an agent's.
local host_git = require "moonlet.internal.host_git"

local M = {}

local list_cap = 64 << 20
local most_bytes = 100000 -- of a command line that names paths

local function verb_of(words)
  for _, word in ipairs(words) do
    if word:sub(1, 1) ~= "-" then return word end
  end
  return "?"
end

---@class moonlet.GitOptions
---@field env table<string, string>?
---@field may_fail boolean?
---@field may_cut boolean?
---@field cap integer?
---@field stdin_file string?
---@field stdout_file string?

--- Runs git; raises when it fails.
---@param run table
---@param key string
---@param cwd string
---@param words string[]
---@param options moonlet.GitOptions?
---@return table exit
function M.git(run, key, cwd, words, options)
  options = options or {}
  local exit = core.process.run {
    step = key .. "/worktree", argv = host_git.command(words), cwd = cwd,
    env = host_git.environment(run, options.env), wall = 10 * 60 * 1000, cap = options.cap or 8 << 20,
    stdin_file = options.stdin_file, stdout_file = options.stdout_file,
  }
  if exit.why == "exited" and (exit.code == 0 or options.may_fail) then
    if not exit.stdout_cut or options.may_cut then return exit end
    error({ kind = "failed", message = ("git %s lists more than can be looked at"):format(verb_of(words)) }, 0)
  end
  local said = exit.stderr ~= "" and exit.stderr or exit.error and exit.error.message or exit.why
  error({ kind = "failed", message = ("git %s failed: %s"):format(verb_of(words),
    core.text.printable(said, 600)) }, 0)
end

--- Hands a list to a command of git, which reads it from a file with zeros between.
---@param run table
---@param key string
---@param dir string    beneath `.agent`
---@param cwd string
---@param command string[]
---@param list string[]
---@param options moonlet.GitOptions
function M.feed(run, key, dir, cwd, command, list, options)
  if #list == 0 then return end
  local root, err = core.file.make_root(run.absolute(dir))
  local written
  if root then written, err = core.file.write(root, "changes.list", table.concat(list, "\0") .. "\0") end
  if not written then error(err, 0) end
  options.stdin_file = dir .. "/changes.list"
  local ok, why = pcall(M.git, run, key, cwd, command, options)
  core.file.remove(root, "changes.list")
  if not ok then error(why, 0) end
end

--- Copies an index with its time: git tells by it which entries to look at again.
---@return boolean  false when there is none
function M.copy(run, key, from, to)
  if not core.system.real_path(from) then return false end
  local copied = core.process.run { step = key .. "/worktree", argv = { "cp", "-p", "--", from, to },
    cwd = run.top, env = host_git.environment(run), wall = 60000, cap = 1 << 16 }
  if copied.why == "exited" and copied.code == 0 then return true end
  local said = core.text.printable(copied.stderr, 300)
  error({ kind = "failed", message = "the index could not be copied: " .. said }, 0)
end

local function copy_users(run, key, file)
  -- In a hook of `git commit -a` it is another file than the repository's.
  local own = core.system.env "GIT_INDEX_FILE"
  local exit = M.git(run, key, run.top, { "rev-parse", "--path-format=absolute", "--git-path", "index" },
    { env = own and { GIT_INDEX_FILE = own } or nil })
  if M.copy(run, key, exit.stdout:gsub("\n$", ""), file) then return end
  M.git(run, key, run.top, { "read-tree", "HEAD" }, { env = { GIT_INDEX_FILE = file } })
end

--- The tracked files that differ from the index: those that are there, and those that are gone.
---@return string[] changed, string[] gone
function M.tracked_changes(run, key, cwd, command, env)
  local exit = M.git(run, key, cwd, command, { env = env, cap = list_cap })
  local changed, gone = {}, {}
  for state, path in exit.stdout:gmatch("(%u)%z([^%z]+)%z") do
    local list = state == "D" and gone or changed
    list[#list + 1] = path
  end
  return changed, gone
end

--- The words before a command that takes paths into an index, and takes them out.
local adding = { "update-index", "-z", "--add", "--replace", "--remove", "--stdin" }
local removing = { "update-index", "-z", "--force-remove", "--stdin" }

--- Takes files into an index as they are, and those that are gone out of it.
---@param words (fun(...: string): string[])?  what comes before the command
function M.take(run, key, dir, cwd, changed, gone, env, words)
  words = words or function(...) return { ... } end
  M.feed(run, key, dir, cwd, words(table.unpack(removing)), gone, { env = env })
  M.feed(run, key, dir, cwd, words(table.unpack(adding)), changed, { env = env })
end

--- Calls fn(env) with an index that is a file of our own, and is gone afterwards.
---@param parent string  a folder, absolute
---@param name string
function M.with(parent, name, fn)
  local root, err = core.file.make_root(parent)
  if not root then error(err, 0) end
  local function clear()
    for _, suffix in ipairs { ".index", ".index.lock" } do core.file.remove(root, name .. suffix) end
  end
  -- A host that was killed has left them.
  clear()
  local ok, result = pcall(fn, { GIT_INDEX_FILE = ("%s/%s.index"):format(parent, name) })
  clear()
  if not ok then error(result, 0) end
  return result
end

--- Fills such an index with what the user's work tree holds of what is tracked. `check` sees the user's
--- own index first.
---@param check fun(env: table)?
function M.fill(run, key, dir, env, check)
  copy_users(run, key, env.GIT_INDEX_FILE)
  if check then check(env) end
  local changed, gone = M.tracked_changes(run, key, run.top,
    { "diff-files", "--name-status", "-z", "--no-renames", "--ignore-submodules=dirty" }, env)
  M.take(run, key, dir, run.top, changed, gone, env)
end

--- The entries of these paths in an index, as `update-index --index-info` takes them.
local function entries_of(run, key, paths, env)
  local wanted, found = {}, {}
  for _, path in ipairs(paths) do wanted[path] = true end
  local first, last = 1, 0
  while last < #paths do
    local bytes = 0
    repeat
      last = last + 1
      bytes = bytes + #paths[last] + 1
    until last == #paths or bytes + #paths[last + 1] > most_bytes
    local exit = M.git(run, key, run.top, { "ls-files", "--stage", "-z", "--", table.unpack(paths, first, last) },
      { cap = list_cap, env = { GIT_INDEX_FILE = env.GIT_INDEX_FILE, GIT_LITERAL_PATHSPECS = "1" } })
    first = last + 1
    for entry, path in exit.stdout:gmatch("(%d+ %x+ 0)\t([^%z]+)%z") do
      if wanted[path] then found[#found + 1] = entry .. "\t" .. path end
    end
  end
  return found
end

--- Reads these paths of the user's work tree anew, whatever the index believes, or was told, of them:
--- `there` are files, or links, `gone` are neither.
function M.reread(run, key, dir, env, there, gone)
  -- An entry that comes without times and flags is compared with the file.
  M.feed(run, key, dir, run.top, { "update-index", "-z", "--index-info" }, entries_of(run, key, there, env),
    { env = env })
  M.take(run, key, dir, run.top, there, gone, env)
end

return M
