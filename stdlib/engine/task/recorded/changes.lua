--- Finds the files that a session changed by comparing git's view of its start and end, so that
--- changes by shell commands are found, too.
local environment = require "moonlet.engine.run.environment"
local host_git = require "moonlet.engine.workspace.git"

local M = {}

local list_cap = 8 << 20
local most_paths, most_named = 20000, 2000
local hashed_size, hashed_total = 4 << 20, 256 << 20

---@class moonlet.TreeState
---@field base string                   commit to compare with; "" before the first commit
---@field head string                   commit that was checked out
---@field files table<string, string>   path -> state of each file that differs from `base`
---@field partial boolean?              true if there were too many files to examine all of them

local function ask(home, words, extra)
  local argv = host_git.command(words)
  table.insert(argv, 2, "-C")
  table.insert(argv, 3, home.top)
  local variables = { LC_ALL = "C", GIT_OPTIONAL_LOCKS = "0", GIT_NO_REPLACE_OBJECTS = "1",
    GIT_LITERAL_PATHSPECS = "1", GIT_TERMINAL_PROMPT = "0" }
  for name, value in pairs(extra or {}) do variables[name] = value end
  local answer = core.process.query { argv = argv, env = environment.plain(variables),
    cap = list_cap }
  if not answer or answer.code > 0 then return nil end
  return answer.out, answer.code < 0
end

--- Returns environment variables that stop git from running the filters in its config.
local function no_filters(home)
  local text = ask(home, { "config", "--null", "--name-only", "--get-regexp",
    "^filter\\..*\\.(clean|smudge|process|required)$" })
  local variables, count = {}, 0
  for name in (text or ""):gmatch "([^%z]+)%z" do
    variables[("GIT_CONFIG_KEY_%d"):format(count)] = name
    variables[("GIT_CONFIG_VALUE_%d"):format(count)] = name:match "%.required$" and "false" or ""
    count = count + 1
  end
  if count > 0 then variables.GIT_CONFIG_COUNT = tostring(count) end
  return variables
end

local function stat_text(info)
  return ("%s:%d:%d:%d:%d:%o"):format(info.type, info.size, info.mtime_ns, info.ctime_ns,
    info.inode, info.mode)
end

local function state_of(home, path, known, left)
  local info = core.file.stat(home.root, path)
  if not info then return "gone" end
  local stat = stat_text(info)
  if known and known:match "^%S+" == stat then return known end
  if info.type ~= "file" or info.size > hashed_size or info.size > left.bytes then return stat end
  local text = core.file.read(home.root, path, hashed_size)
  if not text then return stat end
  left.bytes = left.bytes - #text
  return ("%s %s:%o"):format(stat, core.text.sha256(text):sub(1, 24), info.mode)
end

local function is_same(a, b)
  local one, other = a and a:match " (%S+)$", b and b:match " (%S+)$"
  if one and other then return one == other end
  return a == b
end

--- Returns the state of the work tree relative to a commit, or nil if git fails.
---@param base string?  default: the present commit
---@param before moonlet.TreeState?  files with an equal stat are not read again
function M.state(home, base, before)
  if not home.git then return nil end
  local head = (ask(home, { "rev-parse", "--quiet", "--verify", "HEAD" }) or ""):match "^%x+" or ""
  local state = { base = base or head, head = head, files = {} }
  local filters, left, count = no_filters(home), { bytes = hashed_total }, 0
  local differing = state.base == "" and { "ls-files", "-z", "--cached" }
    or { "diff", "--name-only", "-z", "--no-ext-diff", "--no-textconv", "--no-renames",
      "--no-relative", "--ignore-submodules=dirty", state.base, "--" }
  local others = { "ls-files", "-z", "--others", "--exclude-standard", "--full-name" }
  for _, words in ipairs { differing, others } do
    local text, cut = ask(home, words, filters)
    if not text then return nil end
    state.partial = state.partial or cut or nil
    for path in text:gmatch "([^%z]+)%z" do
      if not path:find "^%.agent/" and not state.files[path] then
        count = count + 1
        if count > most_paths then
          state.partial = true
          break
        end
        state.files[path] = state_of(home, path, before and before.files[path], left)
      end
    end
  end
  return state
end

--- Reports whether a path, or the nearest existing folder of a deleted path, changed since a time.
local function is_since(home, path, since)
  local info = core.file.stat(home.root, path)
  while not info and path:find "/" do
    path = path:match "^(.*)/"
    info = core.file.stat(home.root, path)
  end
  info = info or core.file.stat(home.root, ".")
  return not info or info.ctime_ns // 1000000 >= since
end

---@param since integer?  ms; files that were written earlier are not listed
function M.between(home, before, after, since)
  local paths, seen = {}, {}
  local function add(path)
    if seen[path] or is_same(before.files[path], after.files[path]) then return end
    seen[path] = true
    if not since or is_since(home, path, since) then paths[#paths + 1] = path end
  end
  for path in pairs(after.files) do add(path) end
  for path in pairs(before.files) do add(path) end
  table.sort(paths)
  local cut = before.partial or after.partial or #paths > most_named or false
  for i = #paths, most_named + 1, -1 do paths[i] = nil end
  return paths, cut
end

function M.record(state)
  local list = core.json.array {}
  for path, text in pairs(state.files) do
    list[#list + 1] = path
    list[#list + 1] = text
  end
  return { base = state.base, head = state.head, files = list, partial = state.partial }
end

function M.of_record(value)
  if type(value) ~= "table" or type(value.base) ~= "string" or type(value.files) ~= "table" then
    return nil
  end
  local state = { base = value.base, head = value.head, files = {}, partial = value.partial }
  for i = 1, #value.files - 1, 2 do state.files[value.files[i]] = value.files[i + 1] end
  return state
end

return M
