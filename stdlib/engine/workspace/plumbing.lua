--- Lets git store and restore the exact bytes of a work tree.
--- Uses a private git folder without the repository's filters, conversions and settings, so that
--- git starts no program that they name.
local host_file = require "moonlet.engine.base.files"
local host_git = require "moonlet.engine.workspace.git"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local per_run = require "moonlet.engine.base.per_run"

local M = {}

local list_cap = core.process.largest_cap

--- These attributes override all attribute files in the work tree.
local attributes = "* -text !eol !crlf !filter !ident !working-tree-encoding\n"
local head = "ref: refs/heads/none\n"

--- Number of processes that write the files of a checkout. Git itself uses one by default.
local checkout_workers = 4

---@class moonlet.RawGit
---@field path string     absolute path of the private git folder
---@field objects string  absolute path of the repository's object folder

local function quoted(path)
  return '"' .. path:gsub('[%c"\\]', function(c) return ("\\%03o"):format(c:byte()) end) .. '"\n'
end

--- Reports whether the file system ignores case. If it does, the file HEAD is also found as `head`.
local function ignores_case(root) return host_file.is_there(root, "head") end

--- Caches facts of the repository that do not change during a run.
local facts_of_run = per_run(function() return {} end)

---@class moonlet.RepositoryFacts
---@field common string   absolute path of the common git folder
---@field objects string  absolute path of the repository's object folder
---@field index string    absolute path of the user's index

--- Returns facts about the repository.
---@return moonlet.RepositoryFacts
function M.facts(run)
  local facts = facts_of_run(run)
  if facts.common then return facts end
  local _, _, common, own = host_git.dirs(run.top)
  common = common and core.system.real_path(common)
  if not common then
    error({ kind = "failed",
      message = "the repository's git folder cannot be opened: " .. run.top .. "/.git",
      hint = "see what git says: git -C " .. core.text.printable(run.top, 200) .. " status" }, 0)
  end
  -- If moonlet runs in a hook of `git commit -a`, GIT_INDEX_FILE names a temporary index.
  local index = core.system.env "GIT_INDEX_FILE"
  facts.objects, facts.index = common .. "/objects",
    index and host_git.below(run.top, index) or own .. "/index"
  facts.common = common
  return facts
end

--- Returns the hash function of the repository's objects.
function M.format(run) return host_git.settings(run)["extensions.objectformat"] or "sha1" end

local function config_of(run, root)
  local format, lines = M.format(run), { "[core]\n\tbare = false\n\tlooseCompression = 0\n",
    ("\tignorecase = %s\n"):format(ignores_case(root)), host_git.kept_settings(run) }
  lines[#lines + 1] = format == "sha1" and "\trepositoryformatversion = 0\n"
    or ("\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = %s\n"):format(format)
  lines[#lines + 1] = ("[checkout]\n\tworkers = %d\n"):format(checkout_workers)
  return table.concat(lines)
end

--- Writes a file if its content differs, so that a full disk cannot damage an unchanged file.
local function put(root, name, text, is_new)
  if not is_new and host_file.read(root, name, #text + 1) == text then return false end
  host_file.write(root, name, text)
  return true
end

--- Creates or opens the private git folder, which shares the repository's objects.
---@return moonlet.RawGit
function M.open(run, path)
  local root = host_file.make_root(path)
  local facts = M.facts(run)
  local is_new = put(root, "HEAD", head, false)
  for _, folder in ipairs { "info", "refs", "objects/info" } do
    host_file.must(core.file.make_dirs(root, folder))
  end
  put(root, "config", config_of(run, root), is_new)
  put(root, "info/attributes", attributes, is_new)
  put(root, "objects/info/alternates", quoted(facts.objects), is_new)
  return { path = path, objects = facts.objects }
end

--- Returns the environment that makes git use the private git folder with a given work tree and
--- index.
---@param shared boolean?  write new objects into the repository
---@return table<string, string>
function M.env(raw, work_tree, index, shared)
  return { GIT_DIR = raw.path, GIT_WORK_TREE = work_tree, GIT_INDEX_FILE = index,
    GIT_LITERAL_PATHSPECS = "1", GIT_CONFIG_GLOBAL = "/dev/null", GIT_CONFIG_NOSYSTEM = "1",
    GIT_ATTR_NOSYSTEM = "1", GIT_OBJECT_DIRECTORY = shared and raw.objects or nil }
end

local function add_by_attribute(run, key, dir, paths, set)
  local exit = scratch_index.feed(run, key, dir, run.top,
    { "check-attr", "-z", "--stdin", "filter", "ident", "working-tree-encoding" }, paths,
    { cap = list_cap })
  for path, value in (exit and exit.stdout or ""):gmatch("([^%z]+)%z[^%z]+%z([^%z]*)%z") do
    if value ~= "unspecified" and value ~= "unset" then set[path] = true end
  end
end

--- Adds files whose size differs from git's object, because line-end conversion changes the size.
local function add_by_size(run, key, dir, files, env, set)
  local root = host_file.must(core.file.root(run.top))
  local ids, paths = {}, {}
  for i, entry in ipairs(files) do ids[i], paths[i] = entry.id, entry.path end
  local exit = scratch_index.feed(run, key, dir, run.top,
    { "cat-file", "--batch-check=%(objectsize)" }, ids,
    { cap = list_cap, env = env, between = "\n" })
  local sizes, i = host_file.must(core.tree.sizes(root, paths)), 0
  for line in (exit and exit.stdout or ""):gmatch("([^\n]*)\n") do
    i = i + 1
    local size = math.tointeger(tonumber(line))
    if size and sizes[i] >= 0 and sizes[i] ~= size then set[paths[i]] = true end
  end
end

--- Returns tracked files whose bytes may differ from git's objects.
---@param dir string                      folder below `.agent`
---@param entries moonlet.IndexEntry[]    entries of the user's index
---@param changed string[]                files that differ from the index
---@param env table<string, string>
---@param filters boolean                 false if no attribute converts a file
---@return table<string, true>
function M.converted(run, key, dir, entries, changed, env, filters)
  local files, paths, set, other = {}, {}, {}, {}
  for _, path in ipairs(changed) do other[path] = true end
  for _, entry in ipairs(entries) do
    -- A file that is not checked out exists only as git's object.
    if entry.mode:sub(1, 3) == "100" and entry.tag ~= "S" then
      if not other[entry.path] then files[#files + 1] = entry end
      paths[#paths + 1] = entry.path
    end
  end
  if filters then add_by_attribute(run, key, dir, paths, set) end
  add_by_size(run, key, dir, files, env, set)
  return set
end

return M
