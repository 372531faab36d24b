--- Lets git store and restore the exact bytes of a work tree. It uses a git folder of its own,
--- where no filter, line-end conversion or setting of the repository applies. Git starts no program
--- that such settings name.
local host_file = require "moonlet.engine.base.files"
local scratch_index = require "moonlet.engine.workspace.scratch_index"
local cooperative = require "moonlet.engine.base.cooperative"

local M = {}

local list_cap = core.process.largest_cap

--- Overrides all attribute files in the work tree.
local attributes = "* -text !eol !crlf !filter !ident !working-tree-encoding\n"
local head = "ref: refs/heads/none\n"
--- Copies the settings that git derived from the file system, and those of shared permissions.
local kept_settings = "^core\\.(filemode|symlinks|precomposeunicode|sharedrepository)$"

---@class moonlet.RawGit
---@field path string     absolute path of the folder
---@field objects string  the repository's objects

local function quoted(path)
  return '"' .. path:gsub('[%c"\\]', function(c) return ("\\%03o"):format(c:byte()) end) .. '"\n'
end

--- Reports whether the file system ignores case. Git's own setting may come from another machine.
local function ignores_case(root) return host_file.is_there(root, "head") end

local function config_of(run, key, format, root)
  local lines = { "[core]\n\tbare = false\n\tlooseCompression = 0\n",
    ("\tignorecase = %s\n"):format(ignores_case(root)) }
  local settings = scratch_index.git(run, key, run.top, { "config", "--null", "--get-regexp", kept_settings },
    { may_fail = true })
  for name, value in settings.stdout:gmatch("core%.(%l+)\n(%w+)%z") do
    lines[#lines + 1] = ("\t%s = %s\n"):format(name, value)
  end
  lines[#lines + 1] = format == "sha1" and "\trepositoryformatversion = 0\n"
    or ("\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = %s\n"):format(format)
  return table.concat(lines)
end

--- Writes a file unless it has this content already, so that a full disk does no harm then.
local function put(root, name, text, is_new)
  if not is_new and host_file.read(root, name, #text + 1) == text then return false end
  host_file.write(root, name, text)
  return true
end

--- Creates or opens the private git folder, which shares the repository's objects.
---@return moonlet.RawGit
function M.open(run, key, path)
  local root = host_file.make_root(path)
  local exit = scratch_index.git(run, key, run.top,
    { "rev-parse", "--path-format=absolute", "--show-object-format", "--git-path", "objects" })
  local format, objects = exit.stdout:match("^(%w+)\n(.*)\n$")
  local is_new = put(root, "HEAD", head, false)
  for _, folder in ipairs { "info", "refs", "objects/info" } do host_file.must(core.file.make_dirs(root, folder)) end
  put(root, "config", config_of(run, key, format, root), is_new)
  put(root, "info/attributes", attributes, is_new)
  put(root, "objects/info/alternates", quoted(objects), is_new)
  return { path = path, objects = objects }
end

--- Returns the environment that makes git use this folder with a given work tree and index.
---@param shared boolean?  write new objects into the repository
---@return table<string, string>
function M.env(raw, work_tree, index, shared)
  return { GIT_DIR = raw.path, GIT_WORK_TREE = work_tree, GIT_INDEX_FILE = index, GIT_LITERAL_PATHSPECS = "1",
    GIT_CONFIG_GLOBAL = "/dev/null", GIT_CONFIG_NOSYSTEM = "1", GIT_ATTR_NOSYSTEM = "1",
    GIT_OBJECT_DIRECTORY = shared and raw.objects or nil }
end

local function add_by_attribute(run, key, dir, paths, set)
  local exit = scratch_index.feed(run, key, dir, run.top,
    { "check-attr", "-z", "--stdin", "filter", "ident", "working-tree-encoding" }, paths, { cap = list_cap })
  for path, value in (exit and exit.stdout or ""):gmatch("([^%z]+)%z[^%z]+%z([^%z]*)%z") do
    if value ~= "unspecified" and value ~= "unset" then set[path] = true end
  end
end

--- Adds files whose size differs from git's object, because line-end conversion changes the size.
local function add_by_size(run, key, dir, files, env, set)
  local root = host_file.must(core.file.root(run.top))
  local ids = {}
  for i, entry in ipairs(files) do ids[i] = entry.id end
  local exit = scratch_index.feed(run, key, dir, run.top, { "cat-file", "--batch-check=%(objectsize)" }, ids,
    { cap = list_cap, env = env, between = "\n" })
  local i, breathe = 0, cooperative.new()
  for line in (exit and exit.stdout or ""):gmatch("([^\n]*)\n") do
    i = i + 1
    local path, size = files[i].path, math.tointeger(tonumber(line))
    local info = size and core.file.stat(root, path)
    if info and info.type == "file" and info.size ~= size then set[path] = true end
    breathe()
  end
end

--- Returns tracked files whose bytes may differ from git's objects.
---@param dir string                      folder below `.agent`
---@param entries moonlet.IndexEntry[]    entries of the user's index
---@param changed string[]                files that differ from the index
---@param env table<string, string>
---@return table<string, true>
function M.converted(run, key, dir, entries, changed, env)
  local files, paths, set, other = {}, {}, {}, {}
  for _, path in ipairs(changed) do other[path] = true end
  for _, entry in ipairs(entries) do
    -- A file that is not checked out exists only as git's object.
    if entry.mode:sub(1, 3) == "100" and entry.tag ~= "S" then
      if not other[entry.path] then files[#files + 1] = entry end
      paths[#paths + 1] = entry.path
    end
  end
  add_by_attribute(run, key, dir, paths, set)
  add_by_size(run, key, dir, files, env, set)
  return set
end

return M
