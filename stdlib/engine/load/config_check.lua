--- Validates a config. Each check reports every error in its part and removes the invalid values.
local duration = require "moonlet.duration"
local files = require "moonlet.engine.base.files"
local record = require "moonlet.record"
local route_table = require "moonlet.engine.load.route_table"
local runner_names = require "moonlet.engine.runner.names"

local M = {}

M.source_cap = 1 << 20

local top_fields = { runner = "string", runners = "table", routes = "table", prices = "table",
  limits = "table", hooks = "table", prompts = "table", precommit = "table", mcp = "table",
  repositories = "table", loop = "string", machines = "table" }
local runner_fields = { program = "string", args = "list", env = "list", home = "string",
  model = "string", file = "string", private = "boolean", state = "list", instructions = "boolean" }
--- Lists the fields of `runners.command`, which apply to each program of `--runner command:PROGRAM`.
local command_fields = { state = "list" }
local limit_fields = { tokens = "integer", usd = "number", wall = "string|number",
  agents = "integer", processes = "integer", parallel = "integer", retries = "integer",
  worktrees = "integer" }
local hook_fields = { started = "list", finished = "list", parked = "list", done = "list",
  question = "list", stuck = "list", milestone = "list", blocked = "list", review = "list" }

local mcp_fields = { presets = "list", sessions = "list", programs = "list", budget = "table",
  sandbox = "string", vanished = "string" }

local worktree_fields = { keep = "list", setup = "list", state = "list", network = "boolean" }
local machine_fields = { ssh = "string", dir = "string", slots = "integer", env = "list",
  patience = "string|number", partitions = "list", account = "string", via = "string",
  submit = "string" }

--- Formats a path of keys as Lua source, such as routes["test-gaps"].runner.
---@param path (string|integer)[]
function M.shown(path)
  local parts = {}
  for i, key in ipairs(path) do
    if type(key) == "string" and key:find("^[%a_][%w_]*$") then
      parts[i] = (i > 1 and "." or "") .. key
    elseif type(key) == "string" then
      parts[i] = ('["%s"]'):format(core.text.printable(key, 60))
    else
      parts[i] = ("[%d]"):format(key)
    end
  end
  return #parts > 0 and table.concat(parts) or "the config"
end

local shown = M.shown

local function names_of(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  return names
end

local function template_text(path)
  local real = core.system.real_path(path) or path
  local text = assert(files.read_path(real, M.source_cap))
  return require("moonlet.engine.load.prompts").check(text, path)
end

---@class moonlet.ConfigCheck
---@field report fun(path: (string|integer)[], message: string, hint: string?)
---@field folder string   folder of the config
---@field own string[]    names of the user's own runners
local Check = {}
Check.__index = Check

---@return boolean  false if the value is not a table
function Check:fields_of(value, fields, path)
  if type(value) ~= "table" then
    self.report(path, ("%s must be a table, not a %s"):format(shown(path), type(value)))
    return false
  end
  for key, item in pairs(value) do
    local below = { table.unpack(path) }
    below[#below + 1] = key
    if not fields[key] then
      self.report(below, ("%s has no key '%s'"):format(shown(path),
        core.text.printable(tostring(key), 60)), record.suggest(tostring(key), names_of(fields)))
      value[key] = nil
    else
      local ok, err = pcall(record.check, { [key] = item }, { [key] = fields[key] }, shown(path))
      if not ok then
        self.report(below, err.message, err.hint)
        value[key] = nil
      end
    end
  end
  return true
end

function Check:texts(list, path, pattern, what)
  local count = 0
  for key, item in pairs(list) do
    count = count + 1
    if math.type(key) ~= "integer" or key > #list or type(item) ~= "string"
        or item:find("\0", 1, true)
      or not item:find(pattern) then
      self.report(path, ("%s must be a list of %s"):format(shown(path), what))
      return false
    end
  end
  return count == #list
end

--- Reports a value that is neither of two words.
function Check:either(value, path, first, second)
  if value == nil or value == first or value == second then return end
  self.report(path, ("%s cannot be '%s'"):format(shown(path), core.text.printable(value, 40)),
    ("write %s or %s"):format(first, second))
end

function Check:args(name, args)
  local path = { "runners", name, "args" }
  if not self:texts(args, path, "", "texts") then return end
  local refused = require "moonlet.engine.runner.refused_args"
  for _, word in ipairs(args) do
    if refused.holds(name, word) then
      self.report(path, ("%s cannot hold '%s'"):format(shown(path), core.text.printable(word, 60)),
        "moonlet itself sets an agent's sandbox, and each call is a new conversation")
    end
  end
end

--- Makes a path absolute: relative to the config's folder, or to the user's home after `~/`.
function Check:path(path)
  if path:sub(1, 2) == "~/" then return require("moonlet.engine.runner.shared").home_path(path) end
  return path:sub(1, 1) == "/" and path or self.folder .. "/" .. path
end

function Check:runner_entry(name, entry)
  if name ~= "command" and not entry.file and not runner_names.has(runner_names.programs, name) then
    self.report({ "runners", name }, ("there is no runner '%s'"):format(name),
      record.suggest(name, runner_names.programs)
        .. "; a runner of your own needs file = \"NAME.lua\"")
  end
  if entry.args then self:args(name, entry.args) end
  if entry.instructions and not entry.file and not runner_names.has(runner_names.agents, name) then
    self.report({ "runners", name, "instructions" },
      ("the runner '%s' reads no instruction file of the user"):format(name), "leave it out")
  end
  if entry.env then
    self:texts(entry.env, { "runners", name, "env" }, "^[%a_][%w_]*$", "names of variables")
  end
  for _, key in ipairs { "program", "home", "file", "model" } do
    if entry[key] and (entry[key] == "" or entry[key]:find("\0", 1, true)) then
      self.report({ "runners", name, key }, ("%s is empty"):format(shown { "runners", name, key }))
    end
  end
  for _, key in ipairs { "home", "file" } do
    if entry[key] then entry[key] = self:path(entry[key]) end
  end
  if entry.state and self:texts(entry.state, { "runners", name, "state" }, ".", "paths") then
    for i, path in ipairs(entry.state) do entry.state[i] = self:path(path) end
  end
end

function Check:runners(entries)
  for name, entry in pairs(entries) do
    local path = { "runners", name }
    if type(name) ~= "string" or not name:find("^%l[%w_-]*$") or #name > 40 or name == "route"
        or name == "rules"
      or name ~= "command" and runner_names.has(runner_names.internal, name) then
      self.report(path,
        ("'%s' cannot name a runner"):format(core.text.printable(tostring(name), 60)),
        "use lower-case letters, digits, - and _, and none of rules, route, mock and cassette")
    elseif self:fields_of(entry, name == "command" and command_fields or runner_fields, path) then
      if entry.file then self.own[#self.own + 1] = name end
      self:runner_entry(name, entry)
    end
  end
end

function Check:runner_rest(name, word, path)
  if word ~= "command" and word ~= "cassette" then
    if name ~= word then
      self.report(path,
        ("%s: the runner '%s' takes nothing after a colon"):format(shown(path), word),
        "its arguments belong in runners." .. word .. ".args")
    end
    return
  end
  local ok, spec = pcall(require("moonlet.engine.load.runners").parse, name, { runners = {} })
  if not ok then
    self.report(path, ("%s: %s"):format(shown(path), spec.message), spec.hint)
  elseif word == "command" and not spec.argv and path[1] == "routes" then
    self.report(path, ("%s: '%s' names no program"):format(shown(path), name),
      "write command:PROGRAM ARG…")
  end
end

function Check:runner(name, path)
  local word = name:match("^([^:]+):") or name
  if word == "route" then
    local is_default = path[1] == "runner"
    if is_default and word == name then return end
    self.report(path, is_default and "runner: 'route' takes nothing after a colon"
      or ("%s: a route leads to a runner, not to '%s'"):format(shown(path),
        core.text.printable(name, 60)))
    return
  end
  local all = {}
  for _, list in ipairs { runner_names.internal, runner_names.programs, self.own } do
    table.move(list, 1, #list, #all + 1, all)
  end
  if runner_names.has(all, word) then return self:runner_rest(name, word, path) end
  self.report(path, ("%s: there is no runner '%s'"):format(shown(path),
    core.text.printable(name, 60)), record.suggest(word, all))
end

function Check:route(type_name, route)
  for _, risk in ipairs { "low", "medium", "high" } do
    local below = route[risk]
    if below and self:fields_of(below, route_table.risk_fields, { "routes", type_name, risk })
        and below.runner then
      self:runner(below.runner, { "routes", type_name, risk, "runner" })
    end
  end
  if route.runner then self:runner(route.runner, { "routes", type_name, "runner" }) end
end

function Check:routes(routes)
  local spelt = {}
  for type_name, route in pairs(routes) do
    local path = { "routes", type_name }
    local normal = type(type_name) == "string" and route_table.normal(type_name)
    if not normal then
      self.report({ "routes" }, "routes must give a table to names of task types")
    elseif normal == "" then
      self.report(path, ("'%s' cannot name a task type"):format(core.text.printable(type_name, 60)))
    elseif spelt[normal] then
      self.report(path,
        ("%s and %s are the same task type, '%s'"):format(shown { "routes", spelt[normal] },
        shown(path), normal), "keep one of them")
    elseif self:fields_of(route, route_table.fields, path) then
      spelt[normal] = type_name
      self:route(type_name, route)
    end
  end
end

function Check:prices(all)
  local prices = require "moonlet.engine.budget.prices"
  for model, price in pairs(all) do
    local path = { "prices", model }
    if type(model) ~= "string" then
      self.report({ "prices" }, "prices must give a table to names of models")
    else
      for _, wrong in ipairs { { prices.check_name, model }, { prices.check, price } } do
        local ok, err = pcall(wrong[1], wrong[2], shown(path))
        if not ok then self.report(path, err.message, err.hint) end
      end
    end
  end
end

function Check:limits(limits)
  if not self:fields_of(limits, limit_fields, { "limits" }) then return end
  for name, value in pairs(limits) do
    if name == "wall" then
      local ok, err = pcall(duration.ms, value, "limits.wall")
      if not ok then self.report({ "limits", "wall" }, err.message, err.hint) end
    elseif value < 0 or (name == "parallel" and (value < 1 or value > 10000)) then
      self.report({ "limits", name }, ("limits.%s cannot be %s"):format(name, tostring(value)))
    end
  end
end

function Check:prompts(prompts)
  local known = {}
  for _, role in ipairs(require("moonlet.prompt.templates").roles) do known[role] = "string" end
  if not self:fields_of(prompts, known, { "prompts" }) then return end
  for role, file in pairs(prompts) do
    local ok, text = pcall(template_text, self:path(file))
    if ok then
      prompts[role] = text
    else
      self.report({ "prompts", role }, ("prompts.%s: %s"):format(role, text.message), text.hint)
    end
  end
end

function Check:mcp(mcp)
  if not self:fields_of(mcp, mcp_fields, { "mcp" }) then return end
  if mcp.presets then
    self:texts(mcp.presets, { "mcp", "presets" }, "^%l[%l%d-]*$", "names of presets")
  end
  if mcp.sessions then
    self:texts(mcp.sessions, { "mcp", "sessions" }, ".", "names or ids of sessions")
  end
  if mcp.programs then
    self:texts(mcp.programs, { "mcp", "programs" }, "^%S+$", "names of programs")
  end
  self:either(mcp.sandbox, { "mcp", "sandbox" }, "read-only", "workspace-write")
  self:either(mcp.vanished, { "mcp", "vanished" }, "continue", "cancel")
  if not mcp.budget or not self:fields_of(mcp.budget,
      require("moonlet.engine.budget.budget").fields,
    { "mcp", "budget" }) then return end
  for name, value in pairs(mcp.budget) do
    local is_time = name == "wall"
    if is_time and not pcall(duration.ms, value, "mcp.budget.wall")
        or not is_time and value <= 0 then
      self.report({ "mcp", "budget", name },
        ("mcp.budget.%s cannot be %s"):format(name, tostring(value)))
    end
  end
end

local function is_keepable(path)
  for name in path:lower():gmatch "[^/]+" do
    if name == ".git" or name == ".agent" then return false end
  end
  return path ~= "" and not path:find "[\n]" and not ("/" .. path .. "/"):find "/%.?%.?/"
end

function Check:worktree(worktree, path)
  local function below(key) return { path[1], path[2], path[3], key } end
  if not self:fields_of(worktree, worktree_fields, path) then return end
  if worktree.setup and self:texts(worktree.setup, below "setup", "",
      "texts: a program and its arguments")
    and #worktree.setup == 0 then
    self.report(below "setup", ("%s is empty"):format(shown(below "setup")))
  end
  if worktree.setup and #(worktree.keep or {}) == 0 then
    self.report(below "setup", ("%s has no folder to keep"):format(shown(below "setup")),
      "list in keep the folders that it makes")
  end
  if worktree.state and self:texts(worktree.state, below "state", ".", "paths") then
    for i, item in ipairs(worktree.state) do worktree.state[i] = self:path(item) end
  end
  if not worktree.keep or not self:texts(worktree.keep, below "keep", ".", "paths") then return end
  for i, item in ipairs(worktree.keep) do
    worktree.keep[i] = item:gsub("/+$", "")
    if not is_keepable(worktree.keep[i]) then
      self.report(below "keep", ("%s cannot hold '%s'"):format(shown(below "keep"),
        core.text.printable(item, 60)),
        "name a folder relative to the top of the repository, without .., such as node_modules")
    end
  end
end

function Check:repositories(repositories)
  for path, entry in pairs(repositories) do
    local at = { "repositories", path }
    if type(path) ~= "string" or not path:find "^/" then
      self.report(at, ("repositories: '%s' is not an absolute path"):format(
        core.text.printable(tostring(path), 60)),
        'write ["/home/me/app"] = { … }')
    elseif self:fields_of(entry, { worktree = "table" }, at) and entry.worktree then
      self:worktree(entry.worktree, { "repositories", path, "worktree" })
    end
  end
end

function Check:machine(name, entry)
  local path = { "machines", name }
  local function wrong(key, message, hint)
    self.report({ "machines", name, key },
      ("%s: %s"):format(shown { "machines", name, key }, message), hint)
  end
  -- Reject a name that ssh would parse as an option.
  if entry.ssh and not entry.ssh:find "^[%w_][%w_.@:%%/%[%]-]*$" then
    wrong("ssh", ("'%s' is not a destination of ssh"):format(core.text.printable(entry.ssh, 60)),
      'write "HOST", "USER@HOST" or a Host of your ssh config')
  end
  if entry.dir and (not entry.dir:find "^~?/" or entry.dir:find "[%c]") then
    wrong("dir", "it must be an absolute path, or begin with ~/")
  end
  if entry.slots and (entry.slots < 1 or entry.slots > 100000) then
    wrong("slots", "it must be 1 to 100000")
  end
  if entry.env then
    self:texts(entry.env, { "machines", name, "env" }, "^[%a_][%w_]*$", "names of variables")
  end
  local is_time = not entry.patience or pcall(duration.ms, entry.patience, "patience")
  if not is_time then wrong("patience", "it is not a time") end
  if entry.submit and (entry.submit ~= "ask" or name ~= "slurm") then
    wrong("submit", 'only machines.slurm can have it, and its value is "ask"', "leave it out")
  end
  if entry.partitions then
    self:texts(entry.partitions, { "machines", name, "partitions" }, "^[%w_][%w_.-]*$",
      "names of partitions")
  end
  if entry.account and not entry.account:find "^[%w_][%w_.-]*$" then
    wrong("account", "it is not the name of an account")
  end
  if name ~= "slurm" and not entry.ssh then
    self.report(path, ("%s needs ssh"):format(shown(path)),
      'add ssh = "HOST"; only machines.slurm works without it')
  end
end

function Check:machines(machines)
  for name, entry in pairs(machines) do
    if type(name) ~= "string" or not name:find "^%l[%w_-]*$" then
      self.report({ "machines" },
        ("machines: '%s' cannot name a machine"):format(core.text.printable(tostring(name), 60)),
        "use lower-case letters, digits, - and _")
    elseif self:fields_of(entry, machine_fields, { "machines", name }) then
      self:machine(name, entry)
    end
  end
end

function Check:hooks(hooks)
  if not self:fields_of(hooks, hook_fields, { "hooks" }) then return end
  for name, argv in pairs(hooks) do
    if self:texts(argv, { "hooks", name }, "", "texts: a program and its arguments")
        and #argv == 0 then
      self.report({ "hooks", name }, ("hooks.%s is empty"):format(name))
    end
  end
end

---@param config table  plain data; invalid values are removed
---@param report fun(path: (string|integer)[], message: string, hint: string?)
---@param folder string  base of relative paths
function M.check(config, report, folder)
  local self = setmetatable({ report = report, folder = folder, own = {} }, Check)
  if not self:fields_of(config, top_fields, {}) then return end
  self:runners(config.runners or {})
  if config.runner then self:runner(config.runner, { "runner" }) end
  self:routes(config.routes or {})
  self:prices(config.prices or {})
  if config.limits then self:limits(config.limits) end
  if config.prompts then self:prompts(config.prompts) end
  if config.hooks then self:hooks(config.hooks) end
  if config.machines then self:machines(config.machines) end
  if config.mcp then self:mcp(config.mcp) end
  if config.repositories then self:repositories(config.repositories) end
  self:either(config.loop, { "loop" }, "warn", "end")
  local precommit = config.precommit
  if precommit and self:fields_of(precommit, { runner = "string" }, { "precommit" })
      and precommit.runner then
    self:runner(precommit.runner, { "precommit", "runner" })
  end
end

return M
