--- Converts the paths of a command line. They are relative to the folder of the command
--- (home.from), and become relative to the top of the work tree.
local environment = require "moonlet.engine.run.environment"
local git = require "moonlet.git"
local git_environment = require "moonlet.git.environment"
local glob = require "moonlet.glob"
local names = require "moonlet.git.names"
local record = require "moonlet.record"

local M = {}

local walk_limit = 200000

local function shown(text) return core.text.printable(text, 200) end

local function refuse(option, message, hint)
  local err = record.invalid(("--%s: %s"):format(option, message), hint)
  err.usage = true
  error(err, 0)
end

--- Makes an absolute path relative to the top of the work tree: "" for the top, nil outside of it.
local function beneath(home, path)
  if path == home.top then return "" end
  local top = home.top == "/" and "/" or home.top .. "/"
  return path:sub(1, #top) == top and path:sub(#top + 1) or nil
end

--- Resolves "." and ".." in a path. Returns nil if ".." leads above the folder where the path starts.
local function normal(path)
  local flat = names.flatten(path)
  return flat and flat .. (path:find "[^/]/$" and flat ~= "" and "/" or "")
end

local function folder_of(home)
  return beneath(home, core.system.real_path(home.from) or home.from) or ""
end

--- Returns "." for the top of the work tree, and nil outside of it.
local function from_top(home, text)
  local path
  if text:sub(1, 1) == "/" then
    local real = core.system.real_path(text)
    path = beneath(home, "/" .. (normal(text) or "")) or real and beneath(home, real)
  else
    path = normal(folder_of(home) .. "/" .. text)
  end
  return path == "" and "." or path
end

local function is_there(home, path)
  return path == "." or core.file.stat(home.root, (path:gsub("/+$", ""))) ~= nil
end

local function from_here(home)
  local folder = folder_of(home)
  return folder == "" and "" or ("; paths are relative to %s"):format(shown(folder))
end

local function place(home, declared, text, option)
  local path = from_top(home, text)
  if declared.words and not (path and is_there(home, path)) or text == "" then return text end
  if not path then
    refuse(option, ("%s lies outside of the repository"):format(shown(text)),
      "name a path inside " .. home.top)
  end
  if declared.exists and not is_there(home, path) then
    refuse(option, ("there is no %s"):format(shown(text)),
      "name a file or folder" .. from_here(home))
  end
  return path
end

--- Runs a read-only git command. Returns its exit code and output, or nil if git fails.
local function ask_git(home, args)
  local argv = git.command(table.move(args, 1, #args, 3, { "-C", home.top }))
  local answer = core.process.query { argv = argv, env = environment.plain(git_environment) }
  if answer and answer.code <= 1 then return answer.code, answer.out end
end

--- Returns true if git knows a commit of this name, or if git fails.
local function is_commit(home, name)
  local code = ask_git(home, { "rev-parse", "--quiet", "--verify", name .. "^{commit}" })
  return code ~= 1
end

---@return string[] paths, boolean is_whole  false: there are too many files to visit
function M.matches(home, pattern)
  local matches, found, seen = glob.compile(pattern), {}, 0
  local pending = { glob.root(pattern) }
  while #pending > 0 do
    local folder = table.remove(pending)
    for _, entry in ipairs(core.file.list(home.root, folder == "" and "." or folder) or {}) do
      seen = seen + 1
      if seen > walk_limit then return found, false end
      local path = folder == "" and entry.name or folder .. "/" .. entry.name
      if entry.type == "directory" then
        if entry.name ~= ".git" and path ~= ".agent" then pending[#pending + 1] = path end
      elseif entry.type == "file" and matches(path) then
        found[#found + 1] = path
      end
    end
  end
  table.sort(found)
  return found, true
end

--- Reports whether a path or a match of a glob exists in the work tree, the index or HEAD.
local function is_target_path(home, path)
  if is_there(home, path) then return true end
  local is_glob = glob.is_glob(path)
  if not home.git then return is_glob and next((M.matches(home, path))) ~= nil end
  local spec = (":(top,%s)%s"):format(is_glob and "glob" or "literal", path)
  local code, listed = ask_git(home, { "ls-files", "--cached", "--others", "--exclude-standard",
    "--", spec })
  if code ~= 0 or listed ~= "" then return true end
  return not is_glob and ask_git(home, { "rev-parse", "--quiet", "--verify", "HEAD:" .. path }) ~= 1
end

local whole_targets = { [""] = true, staged = true, worktree = true }

local function ends_of(text)
  if text:find "^%.?%.?/" or text == "." or text == ".." then return nil end
  local from, to = text:match "^(.-)%.%.%.?(.*)$"
  if from then return from == "" and "HEAD" or from, to == "" and "HEAD" or to end
end

--- Converts the target of a review: a commit, a range or a path, which must exist.
local function target(home, text, option)
  local problem = git.target_problem(text)
  local ways = "name a commit, A..B, staged, worktree, or a path or glob" .. from_here(home)
  if problem then refuse(option, problem, ways) end
  if whole_targets[text] or text == "HEAD" and not home.git then return text end
  local from, to = ends_of(text)
  local is_range = home.git and from and is_commit(home, from) and is_commit(home, to)
  if is_range or home.git and not from and not text:find "^%.?%.?/" and is_commit(home, text) then
    return text
  end
  local path = from_top(home, text)
  if path and is_target_path(home, path) then
    -- Mark a path with "./", because a commit could have the same name.
    return path == text:gsub("^%./", "") and text or "./" .. path
  end
  if not path then
    refuse(option, ("%s lies outside of the repository"):format(shown(text)), ways)
  end
  local missing = home.git and from and (is_commit(home, from) and to or from)
  if text == "HEAD" or missing == "HEAD" then
    refuse(option, "the repository has no commit yet", ways)
  end
  if missing and core.file.stat(home.root, ".git/shallow") then
    ways = "the history is cut short here: git fetch --unshallow, or fetch-depth: 0 in GitHub "
      .. "Actions"
  end
  refuse(option, missing and ("there is no commit %s"):format(shown(missing))
    or ("%s is neither a commit nor a file"):format(shown(text)), ways)
end

---@param declared moonlet.Arg
---@param value any      value after the conversion by `declared`
---@param option string  the argument's name on the command line
function M.of(home, declared, value, option)
  if declared.type == "path" then return place(home, declared, value, option) end
  if declared.type == "target" then return target(home, value, option) end
  if declared.type ~= "paths" then return value end
  local list = {}
  for i, item in ipairs(value) do list[i] = place(home, declared, item, option) end
  return list
end

--- Raises an error if an argument with `exists = true` was not given and its default names a missing file.
---@param args table<string, moonlet.Arg>
---@param given table<string, any>   the arguments that were given
---@param values table<string, any>  the values of all arguments; paths are relative to the top of the work tree
function M.check_defaults(home, args, given, values)
  for name, declared in pairs(args) do
    local value = declared.exists and given[name] == nil and values[name] or {}
    for _, path in ipairs(type(value) == "table" and value or { value }) do
      if path ~= "" and not is_there(home, path) then
        refuse(name:gsub("_", "-"), ("its default %s is not there"):format(shown(path)),
          "name a file or folder")
      end
    end
  end
end

--- Converts the path in a value of --input to one relative to the top of the work tree, where the
--- commands of such values run.
function M.input(home, spec)
  if spec == "-" then return spec end
  local kind, rest = spec:match "^(%l+):(.*)$"
  if kind == "file" or kind == "glob" then
    return ("%s:%s"):format(kind, from_top(home, rest) or rest)
  end
  local path = kind ~= "cmd" and kind ~= "diff" and spec ~= "" and from_top(home, spec)
  if not path then return spec end
  local is_glob = path ~= spec and glob.is_glob(spec) and not spec:find "%s"
  local is_file = is_there(home, path) or is_glob and next((M.matches(home, path))) ~= nil
  return is_file and path or spec
end

return M
