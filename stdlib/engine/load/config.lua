--- The user's config: $XDG_CONFIG_HOME/moonlet/config.lua, a Lua file that returns plain data. It is loaded in the
--- sandbox with nothing but the plain libraries; a repository cannot bring one. If a limit is set here and in a
--- preset, the smaller one holds.
---
---   return {
---     runner = "codex",                    -- the default of --runner ("rules" without it); or "route"
---     runners = {
---       codex = { program = "…", args = { … }, env = { "NAME" }, home = "…", model = "…", private = false },
---       mine = { file = "mine.lua" },      -- a runner of one's own, by its path from this folder
---     },
---     routes = { ["test-gaps"] = { runner = "codex", model = "…", high = { escalate = true } } },
---     prices = { ["gpt-5.3-codex-spark"] = { input = 1.25, cached = 0.125, output = 10 } },
---     limits = { tokens = 600000, usd = 4, wall = "20m", agents = 20, processes = 200, parallel = 8,
---                retries = 3 },         -- how often a prompt is asked at most
---     prompts = { reviewer = "reviewer.md" },   -- templates, by their paths from this folder
---     hooks = { finished = { "notify-send", "moonlet" } },   -- of runs: started, finished, parked, review; of
---                                                     both: done, question, blocked; of sessions: stuck, milestone
---   }
local record = require "moonlet.record"
local duration = require "moonlet.duration"
local route_table = require "moonlet.engine.load.route_table"
local runner_names = require "moonlet.engine.runner.names"

local M = {}

local source_cap = 1 << 20
local deepest, most_values = 8, 10000

---@class moonlet.Config
---@field path string?      the file; nil when there is none
---@field runner string?
---@field runners table<string, table>
---@field routes table<string, table>
---@field prices table<string, table>
---@field limits table
---@field hooks table<string, string[]>
---@field prompts table<string, string>  templates by role: their texts

local top_fields = { runner = "string", runners = "table", routes = "table", prices = "table", limits = "table",
  hooks = "table", prompts = "table" }
local runner_fields = { program = "string", args = "list", env = "list", home = "string", model = "string",
  file = "string", private = "boolean" }
local limit_fields = { tokens = "integer", usd = "number", wall = "string|number", agents = "integer",
  processes = "integer", parallel = "integer", retries = "integer" }
local hook_fields = { started = "list", finished = "list", parked = "list", done = "list", question = "list",
  stuck = "list", milestone = "list", blocked = "list", review = "list" }

--- Arguments that would make a clean one-shot something else, or a run's record wrong.
local refused_args = {
  codex = { "resume", "fork", "--last", "-s", "--sandbox", "--dangerously-bypass-approvals-and-sandbox",
    "--approve-for-me", "--full-auto", "--yolo", "--json", "-o", "--output-last-message", "-C", "--cd", "--worktree",
    "--add-dir" },
  claude = { "-c", "--continue", "-r", "--resume", "--fork-session", "--from-pr", "--session-id",
    "--dangerously-skip-permissions", "--allow-dangerously-skip-permissions", "--permission-mode", "--output-format",
    "--input-format", "--bg", "--background", "-w", "--worktree" },
  gemini = { "-r", "--resume", "--session-file", "--session-id", "-y", "--yolo", "--approval-mode", "-o",
    "--output-format", "-p", "--prompt", "-i", "--prompt-interactive", "-w", "--worktree" },
  opencode = { "-c", "--continue", "-s", "--session", "--fork", "--format", "--attach", "-i", "--interactive", "--auto",
    "--share" },
  executor = { "--json", "--fork", "--no-plan", "--unconfined", "--read-only", "--network", "--wall" },
}

--- Codex's settings that say the same as those.
local refused_settings = { sandbox_mode = true, sandbox_workspace_write = true, default_permissions = true,
  permissions = true, approval_policy = true }

--- True if a word is a refused option, or begins with one: a short option takes its value joined (-sX), a long one
--- after `=`, and an option that yargs reads may be in camel case.
local function is_refused(name, word)
  if name == "codex" then
    local setting = word:match("^%-%-config=(.*)$") or word:match("^%-c=?(.*)$") or word
    local key = setting:match("^[%s\"']*([%w_]+)[\"']*%s*[.=]")
    if key and refused_settings[key] then return true end
  end
  if (name == "gemini" or name == "opencode") and word:sub(1, 2) == "--" then
    local option, rest = word:match("^([^=]*)(.*)$")
    word = option:gsub("%u", function(letter) return "-" .. letter:lower() end) .. rest
  end
  for _, refused in ipairs(refused_args[name] or {}) do
    local long = refused:sub(1, 2) == "--"
    if word == refused or long and word:sub(1, #refused + 1) == refused .. "="
      or not long and word:sub(1, #refused) == refused and word:sub(1, 2) ~= "--" then
      return true
    end
  end
  -- Options without a value stand together: -pc.
  return name == "claude" and word:find("^%-[pdvh]+[crw]") ~= nil
end

local function user_path()
  local base = core.system.env "XDG_CONFIG_HOME"
  if not base or base == "" or base:sub(1, 1) ~= "/" then
    local home = core.system.env "HOME"
    base = home and home ~= "" and home .. "/.config" or nil
  end
  return base and base .. "/moonlet/config.lua"
end

--- The line of the source on which a key stands, looked for along its path.
local function line_of(text, path)
  local at, found = 1, nil
  for _, key in ipairs(path) do
    local next_at
    if type(key) == "string" then
      local plain = key:gsub("%p", "%%%0")
      local from = at
      while true do
        local s = text:find("%f[%w_]" .. plain .. "%f[^%w_]%s*=", from) or text:find("%[%s*[\"']" .. plain
          .. "[\"']%s*%]%s*=", from)
        if not s then break end
        -- Not in a comment.
        local start = s - #(text:sub(1, s):match("[^\n]*$"))
        if not text:sub(start + 1, s):find("--", 1, true) then
          next_at = s
          break
        end
        from = s + 1
      end
    end
    if not next_at then break end
    at, found = next_at + 1, next_at
  end
  if not found then found = text:find("return", 1, true) or 1 end
  local _, lines = text:sub(1, found):gsub("\n", "")
  return lines + 1
end

--- A copy that holds data alone; raises for anything else.
local function data(value, path, budget, fail)
  budget.count = budget.count + 1
  if budget.count > most_values then fail(path, ("it holds more than %d values"):format(most_values)) end
  local kind = type(value)
  if kind == "string" or kind == "boolean" then return value end
  if kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then fail(path, "it is no usable number") end
    return value
  end
  if kind ~= "table" then fail(path, ("a config holds data alone, not a %s"):format(kind)) end
  if #path > deepest then fail(path, "it nests too deep") end
  local copy = {}
  for key, item in next, value do
    if type(key) ~= "string" and math.type(key) ~= "integer" then fail(path, "its keys must be names") end
    local below = { table.unpack(path) }
    below[#below + 1] = key
    copy[key] = data(item, below, budget, fail)
  end
  return copy
end

local function shown(path)
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

local function names_of(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  return names
end

--- The text of a template that the config names; raises.
local function template_text(path)
  path = path:sub(1, 2) == "~/" and require("moonlet.engine.runner.shared").home_path(path) or path
  local real = core.system.real_path(path) or path
  local folder, name = real:match("^(.*)/([^/]+)$")
  local root, err = core.file.root(folder == "" and "/" or folder)
  local text
  if root then text, err = core.file.read(root, name, source_cap) end
  if not text then error(err, 0) end
  return require("moonlet.engine.load.prompts").check(text, path)
end

--- Checks a config; calls `report(path, message, hint)` for each error.
local function check(config, report, folder)
  local function fields_of(value, fields, path)
    if type(value) ~= "table" then
      report(path, ("%s must be a table, not a %s"):format(shown(path), type(value)))
      return false
    end
    for key, item in pairs(value) do
      local below = { table.unpack(path) }
      below[#below + 1] = key
      if not fields[key] then
        report(below, ("%s has no key '%s'"):format(shown(path), core.text.printable(tostring(key), 60)),
          record.suggest(tostring(key), names_of(fields)))
        value[key] = nil
      else
        local ok, err = pcall(record.check, { [key] = item }, { [key] = fields[key] }, shown(path))
        if not ok then
          report(below, err.message, err.hint)
          value[key] = nil
        end
      end
    end
    return true
  end
  local function texts(list, path, pattern, what)
    local count = 0
    for key, item in pairs(list) do
      count = count + 1
      if math.type(key) ~= "integer" or key > #list or type(item) ~= "string" or item:find("\0", 1, true)
        or not item:find(pattern) then
        report(path, ("%s must be a list of %s"):format(shown(path), what))
        return false
      end
    end
    return count == #list
  end

  if not fields_of(config, top_fields, {}) then return end
  local own = {}
  for name, entry in pairs(config.runners or {}) do
    local path = { "runners", name }
    if type(name) ~= "string" or not name:find("^%l[%w_-]*$") or #name > 40 or name == "route"
      or runner_names.has(runner_names.internal, name) then
      report(path, ("'%s' cannot name a runner"):format(core.text.printable(tostring(name), 60)),
        "use lower-case letters, digits, - and _, and none of rules, route, command and cassette")
    elseif fields_of(entry, runner_fields, path) then
      if entry.file then own[#own + 1] = name end
      if not entry.file and not runner_names.has(runner_names.programs, name) then
        report(path, ("there is no runner '%s'"):format(name), record.suggest(name, runner_names.programs)
          .. "; one of your own needs file = \"NAME.lua\"")
      end
      if entry.args and texts(entry.args, { "runners", name, "args" }, "", "texts") then
        for _, word in ipairs(entry.args) do
          if is_refused(name, word) then
            report({ "runners", name, "args" }, ("%s cannot hold '%s'"):format(
              shown { "runners", name, "args" }, core.text.printable(word, 60)),
              "it is moonlet that says how an agent is confined, and each call is a fresh one")
          end
        end
      end
      if entry.env then texts(entry.env, { "runners", name, "env" }, "^[%a_][%w_]*$", "names of variables") end
      for _, key in ipairs { "program", "home", "file", "model" } do
        if entry[key] and (entry[key] == "" or entry[key]:find("\0", 1, true)) then
          report({ "runners", name, key }, ("%s is empty"):format(shown { "runners", name, key }))
        end
      end
      for _, key in ipairs { "home", "file" } do
        local value = entry[key]
        if value and value:sub(1, 1) ~= "/" and value:sub(1, 2) ~= "~/" then entry[key] = folder .. "/" .. value end
        if value and value:sub(1, 2) == "~/" then
          entry[key] = require("moonlet.engine.runner.shared").home_path(value)
        end
      end
    end
  end
  --- Checks the text after a runner's name; a route must lead to a runner that can be asked.
  local function check_rest(name, word, path)
    if word ~= "command" and word ~= "cassette" then
      if name ~= word then
        report(path, ("%s: the runner '%s' takes nothing after a colon"):format(shown(path), word),
          "its arguments belong into runners." .. word .. ".args")
      end
      return
    end
    local ok, spec = pcall(require("moonlet.engine.load.runners").parse, name, { runners = {} })
    if not ok then
      report(path, ("%s: %s"):format(shown(path), spec.message), spec.hint)
    elseif word == "command" and not spec.argv and path[1] == "routes" then
      report(path, ("%s: '%s' names no program"):format(shown(path), name), "write command:PROGRAM ARG…")
    end
  end
  local function check_runner(name, path)
    local word = name:match("^([^:]+):") or name
    if word == "route" then
      local is_default = path[1] == "runner"
      if is_default and word == name then return end
      report(path, is_default and "runner: 'route' takes nothing after a colon"
        or ("%s: a route leads to a runner, not to '%s'"):format(shown(path), core.text.printable(name, 60)))
      return
    end
    local all = {}
    for _, list in ipairs { runner_names.internal, runner_names.programs, own } do
      table.move(list, 1, #list, #all + 1, all)
    end
    if runner_names.has(all, word) then return check_rest(name, word, path) end
    report(path, ("%s: there is no runner '%s'"):format(shown(path), core.text.printable(name, 60)),
      record.suggest(word, all))
  end
  if config.runner then check_runner(config.runner, { "runner" }) end
  local spelt = {}
  for type_name, route in pairs(config.routes or {}) do
    local path = { "routes", type_name }
    local normal = type(type_name) == "string" and route_table.normal(type_name)
    if not normal then
      report({ "routes" }, "routes must give a table to names of task types")
    elseif normal == "" then
      report(path, ("'%s' cannot name a task type"):format(core.text.printable(type_name, 60)))
    elseif spelt[normal] then
      report(path, ("%s and %s are the same task type, '%s'"):format(shown { "routes", spelt[normal] }, shown(path),
        normal), "keep one of them")
    elseif fields_of(route, route_table.fields, path) then
      spelt[normal] = type_name
      for _, risk in ipairs { "low", "medium", "high" } do
        local below = route[risk]
        if below and fields_of(below, route_table.risk_fields, { "routes", type_name, risk }) and below.runner then
          check_runner(below.runner, { "routes", type_name, risk, "runner" })
        end
      end
      if route.runner then check_runner(route.runner, { "routes", type_name, "runner" }) end
    end
  end
  local prices = require "moonlet.engine.budget.prices"
  for model, price in pairs(config.prices or {}) do
    local path = { "prices", model }
    if type(model) ~= "string" then
      report({ "prices" }, "prices must give a table to names of models")
    else
      for _, wrong in ipairs { { prices.check_name, model }, { prices.check, price } } do
        local ok, err = pcall(wrong[1], wrong[2], shown(path))
        if not ok then report(path, err.message, err.hint) end
      end
    end
  end
  if config.limits and fields_of(config.limits, limit_fields, { "limits" }) then
    for name, value in pairs(config.limits) do
      if name == "wall" then
        local ok, err = pcall(duration.ms, value, "limits.wall")
        if not ok then report({ "limits", "wall" }, err.message, err.hint) end
      elseif value < 0 or (name == "parallel" and (value < 1 or value > 10000)) then
        report({ "limits", name }, ("limits.%s cannot be %s"):format(name, tostring(value)))
      end
    end
  end
  if config.prompts then
    local roles, known = require("moonlet.prompt.templates").roles, {}
    for _, role in ipairs(roles) do known[role] = "string" end
    if fields_of(config.prompts, known, { "prompts" }) then
      for role, file in pairs(config.prompts) do
        local ok, text = pcall(template_text, file:find "^[/~]" and file or folder .. "/" .. file)
        if ok then
          config.prompts[role] = text
        else
          report({ "prompts", role }, ("prompts.%s: %s"):format(role, text.message), text.hint)
        end
      end
    end
  end
  if config.hooks and fields_of(config.hooks, hook_fields, { "hooks" }) then
    for name, argv in pairs(config.hooks) do
      if texts(argv, { "hooks", name }, "", "texts: a program and its arguments") and #argv == 0 then
        report({ "hooks", name }, ("hooks.%s is empty"):format(name))
      end
    end
  end
end

local function empty(path)
  return { path = path, runners = {}, routes = {}, prices = {}, limits = {}, hooks = {}, prompts = {} }
end

--- The config whose code runs at the moment, for the error if Lua is killed meanwhile.
---@type string?
M.reading = nil

--- Reads a config's text. Raises one `invalid` error with all problems, each with its line.
---@param text string
---@param path string
---@return moonlet.Config
function M.read(text, path)
  local folder = path:match("^(.*)/[^/]+$") or "."
  local presets = require "moonlet.engine.load.loader"
  local loaded, chunk = pcall(presets.load, path, text, {})
  if not loaded then
    chunk.hint = "nothing was started"
    error(chunk, 0)
  end
  M.reading = path
  local at
  local ran, value = xpcall(chunk, function(err)
    at = core.text.place()
    return err
  end)
  M.reading = nil
  if not ran then
    local message = type(value) == "string" and value or (type(value) == "table" and rawget(value, "message"))
    message = type(message) == "string" and message or "it raised an error"
    error(record.invalid("the config failed: " .. message:gsub("^.-:%d+:%s*", ""),
      "a config is data: return { … }", at or path), 0)
  end
  local problems = {}
  local function report(where, message, hint)
    problems[#problems + 1] = { at = path .. ":" .. line_of(text, where), message = message, hint = hint }
  end
  local stop = {}
  local ok, config = pcall(data, value, {}, { count = 0 }, function(where, message)
    report(where, shown(where) .. ": " .. message)
    error(stop, 0)
  end)
  if not ok and config ~= stop then error(config, 0) end
  if ok and type(config) ~= "table" then
    report({}, "the config returns no table")
    problems[#problems].hint = "end it with: return { … }"
  elseif ok then
    check(config, report, folder)
  end
  if #problems > 0 then
    table.sort(problems, function(a, b)
      local x, y = tonumber(a.at:match(":(%d+)$")), tonumber(b.at:match(":(%d+)$"))
      if x ~= y then return x < y end
      return a.message < b.message
    end)
    local lines = { problems[1].message }
    for i = 2, math.min(#problems, 20) do
      local problem = problems[i]
      lines[i] = ("%s: %s%s"):format(problem.at, problem.message, problem.hint and " (" .. problem.hint .. ")" or "")
    end
    local err = record.invalid(table.concat(lines, "\n"), problems[1].hint, problems[1].at)
    err.problems = problems
    error(err, 0)
  end
  for name, default in pairs(empty()) do
    if config[name] == nil then config[name] = default end
  end
  config.path = path
  return config
end

--- Loads the config; an empty one if there is no file.
---@param path string?  another file than the user's own
---@return moonlet.Config
function M.load(path)
  path = path or user_path()
  local folder, name = (path or ""):match("^(.*)/([^/]+)$")
  local root = folder and core.file.root(folder == "" and "/" or folder)
  if not root or not core.file.stat(root, name) then return empty() end
  -- A config is often a link into a folder of dotfiles.
  local real = core.system.real_path(path) or path
  folder, name = real:match("^(.*)/([^/]+)$")
  local text, err, cut
  root, err = core.file.root(folder == "" and "/" or folder)
  if root then text, err, cut = core.file.read(root, name, source_cap) end
  if not text then
    error(record.invalid(("cannot read the config %s: %s"):format(path, err.message), err.hint, path), 0)
  end
  if cut then error(record.invalid(("the config %s is larger than 1 MB"):format(path), nil, path), 0) end
  return M.read(text, path)
end

local current

--- The config of this process: loaded once.
---@return moonlet.Config
function M.current()
  current = current or M.load()
  return current
end

--- Makes another one the current one: a resume goes by that of its run.
---@param config moonlet.Config?
function M.use(config) current = config end

--- Calls `fn` with a config that has only the runners of the user's.
---@param fn fun()
function M.with_runners_alone(fn)
  local own = M.current()
  M.use { runners = own.runners, routes = {}, prices = {}, limits = {}, hooks = {}, prompts = {} }
  local ok, err = pcall(fn)
  M.use(own)
  if not ok then error(err, 0) end
end

return M
