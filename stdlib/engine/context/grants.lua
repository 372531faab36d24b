--- Checks the rights of a script. Built-in presets need no consent, other scripts need `--allow`.
local command_line = require "moonlet.engine.base.command_line"
local record = require "moonlet.record"

local M = {}

local default_cap, largest_cap = 1 << 20, 256 << 20

---@class moonlet.Grants
---@field all boolean
---@field agents boolean
---@field run table<string, boolean>
---@field read string[]
---@field write string[]
---@field env table<string, boolean>
---@field host table<string, boolean>?  functions of the program; records of older versions lack it

local kinds = { run = true, read = true, write = true, env = true, host = true }

local function empty()
  return { all = false, agents = false, run = {}, read = {}, write = {}, env = {}, host = {} }
end

---@return moonlet.Grants
function M.from_needs(needs)
  local grants = empty()
  for _, program in ipairs(needs.programs or {}) do grants.run[program] = true end
  for _, program in ipairs(needs.optional or {}) do grants.run[program] = true end
  for _, name in ipairs(needs.env or {}) do grants.env[name] = true end
  for _, name in ipairs(needs.host or {}) do grants.host[name] = true end
  for _, path in ipairs(needs.read or {}) do table.insert(grants.read, path) end
  for _, path in ipairs(needs.write or {}) do table.insert(grants.write, path) end
  grants.agents = needs.agents ~= nil and needs.agents ~= false
  return grants
end

--- Parses a value of --allow and adds its rights to `grants`. The value is a list of: all, needs,
--- agents, run=a,b, read=DIR, write=DIR, env=NAME, host=NAME. Returns true if it contains "needs".
function M.parse(grants, text)
  local kind, needs = nil, false
  for item in text:gmatch("[^,]+") do
    local own, rest = item:match("^(%l+)=(.*)$")
    if own and kinds[own] then kind, item = own, rest end
    if item == "needs" then
      needs = true
    elseif item == "agents" or item == "all" then
      grants[item] = true
    elseif not kind or item == "" then
      record.refuse(("--allow '%s' is not understood"):format(core.text.printable(text, 200)),
        "write needs, agents, all, run=git,python3, read=DIR, write=DIR, env=NAME or host=NAME")
    elseif kind == "run" or kind == "env" or kind == "host" then
      grants[kind] = grants[kind] or {}
      grants[kind][item] = true
    elseif item:sub(1, 1) == "/" then
      record.refuse(("--allow %s=%s: paths are those of the repository"):format(kind,
        core.text.printable(item, 200)), "write them relative to its top")
    else
      table.insert(grants[kind], item)
    end
  end
  return needs
end

M.empty = empty

function M.describe(grants)
  local function sorted(set)
    local names = {}
    for name in pairs(set) do names[#names + 1] = name end
    table.sort(names)
    return names
  end
  if grants.all then return { "everything" } end
  local lines = {}
  local function add(label, names)
    if #names > 0 then lines[#lines + 1] = label .. " " .. table.concat(names, ", ") end
  end
  add("run", sorted(grants.run))
  add("read", grants.read)
  add("write", grants.write)
  add("see the variables", sorted(grants.env))
  add("call the program's functions", sorted(grants.host or {}))
  if grants.agents then lines[#lines + 1] = "start agents" end
  return lines
end

local function normal(path)
  path = path:gsub("/+", "/"):gsub("^%./", ""):gsub("/%.$", ""):gsub("/$", "")
  return path == "." and "" or path
end

local function covered(list, path)
  path = normal(path)
  for _, allowed in ipairs(list) do
    local prefix = normal(allowed)
    if prefix == "" or path == prefix or path:sub(1, #prefix + 1) == prefix .. "/" then
      return true
    end
  end
  return false
end

---@return moonlet.Grants
function M.beyond(have, wanted)
  local rest = empty()
  if have.all then return rest end
  rest.all, rest.agents = wanted.all, wanted.agents and not have.agents
  for _, kind in ipairs { "run", "env", "host" } do
    for name in pairs(wanted[kind] or {}) do
      rest[kind][name] = not (have[kind] or {})[name] or nil
    end
  end
  for _, kind in ipairs { "read", "write" } do
    for _, path in ipairs(wanted[kind]) do
      if not covered(have[kind], path) then table.insert(rest[kind], path) end
    end
  end
  return rest
end

function M.covers(have, wanted) return #M.describe(M.beyond(have, wanted)) == 0 end

---@return moonlet.Grants
function M.join(one, other)
  local joined = empty()
  for _, part in ipairs { one, other } do
    joined.all, joined.agents = joined.all or part.all, joined.agents or part.agents
    for kind in pairs(kinds) do
      for key, value in pairs(part[kind] or {}) do
        if type(key) == "string" then
          joined[kind][key] = value
        else
          table.insert(joined[kind], value)
        end
      end
    end
  end
  return joined
end

---@return moonlet.Grants
function M.without_agents(grants)
  local rest = M.join(grants, empty())
  rest.agents = false
  return rest
end

--- Maps grants to the list of rights that their script has used. Only grants with a list are tracked.
---@type table<moonlet.Grants, {kind: string, name: string, at: string?}[]>
M.used = setmetatable({}, { __mode = "k" })

local function note(grants, kind, name)
  local used = M.used[grants]
  if used then used[#used + 1] = { kind = kind, name = name or "", at = core.text.place() } end
end

--- Maps grants to a function that asks a person for one more right in the syntax of --allow.
---@type table<moonlet.Grants, fun(grant: string): boolean>
M.askers = setmetatable({}, { __mode = "k" })

--- Contains the grants of presets whose `needs` the user can edit. Errors about these grants
--- suggest the edit.
---@type table<moonlet.Grants, boolean>
M.are_declared = setmetatable({}, { __mode = "k" })

local function denied(grants, grant, message, declaration)
  local ask = M.askers[grants]
  if ask and ask(grant) then return end
  local flag = "--allow " .. command_line.quoted(grant)
  error({ kind = "denied", message = message, at = core.text.place(),
    hint = M.are_declared[grants] and ("declare it: %s, or add %s"):format(declaration, flag)
      or "add " .. flag }, 0)
end

local words = { host = "call ctx.host.%s", run = "run %s", env = "the variable %s",
  read = "read %s", write = "write %s" }
local fields = { host = "host", run = "programs", env = "env", read = "read", write = "write" }

local function demand(grants, kind, name, is_granted)
  note(grants, kind, name)
  if grants.all or is_granted then return end
  denied(grants, kind .. "=" .. name, "not granted: " .. words[kind]:format(name),
    ('needs = { %s = { "%s" } }'):format(fields[kind], name))
end

function M.has_program(grants, program) return grants.all or grants.run[program] == true end

function M.check_program(grants, program) demand(grants, "run", program, grants.run[program]) end

function M.check_agents(grants)
  note(grants, "agents")
  if grants.all or grants.agents then return end
  denied(grants, "agents", "not granted: start agents", "needs = { agents = true }")
end

function M.check_host(grants, name) demand(grants, "host", name, (grants.host or {})[name]) end
function M.check_env(grants, name) demand(grants, "env", name, grants.env[name]) end
function M.check_read(grants, path) demand(grants, "read", path, covered(grants.read, path)) end
function M.check_write(grants, path) demand(grants, "write", path, covered(grants.write, path)) end

--- Returns the number of bytes of a file that a script may read at once.
---@param verb string  names the call in the error
---@param cap integer?  the script's own limit
---@return integer
function M.read_cap(verb, cap)
  if type(cap) == "number" and (cap < 0 or cap > largest_cap) then
    record.refuse(("%s: cap is %s bytes"):format(verb, cap), ("give 0 to %d"):format(largest_cap))
  end
  return cap or default_cap
end

return M
